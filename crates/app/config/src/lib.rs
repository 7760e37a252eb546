//! The configuration: flag over environment over file over default, each value with its source.
