//! The rules of a WebSocket (RFC 6455) that a tunnel stands under: the handshake, and where in the bytes a frame ends.

pub(crate) mod frames;
pub(crate) mod handshake;
