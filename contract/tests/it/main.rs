//! The contract's tests through its public face.

mod checking;
mod documents;
