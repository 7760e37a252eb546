//! Clock, randomness and disk as traits, with the real ones.
