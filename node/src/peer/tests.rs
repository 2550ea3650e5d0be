//! What the transport promises, on real sockets.

mod harness;
mod nearby;
mod rotation;
mod sessions;
mod strangers;
mod streams;
