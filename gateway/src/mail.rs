//! Mail to users: letters from templates, sent by SMTP.

mod letter;
mod outbox;
mod postman;
mod transport;

pub use self::{
    letter::{BadTemplate, Templates},
    transport::{BadTransport, Transport},
};
pub(crate) use self::{
    outbox::{Errand, Outbox},
    postman::{Delivered, Delivery, PostFault, Postman},
};
