//! Health, metrics and the admin API over HTTP.
