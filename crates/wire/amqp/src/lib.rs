//! AMQP 0-9-1 frames, methods and properties as values.
