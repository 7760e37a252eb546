mod bad_input;
mod full_disk;
mod groups;
mod kit;
mod negotiation;
mod produce_fetch;
mod serving;
mod topics;
