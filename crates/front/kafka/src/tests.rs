mod bad_input;
mod kit;
mod negotiation;
mod topics;
