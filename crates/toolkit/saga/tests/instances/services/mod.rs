//! An order service with a saga, and the three services that take part in it.

mod amqp;
mod asking;
mod crashing;
mod parts;
mod placing;
mod racing;
mod world;
