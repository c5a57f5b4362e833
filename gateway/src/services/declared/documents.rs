//! The one document, put together when it is asked for: as a tree it takes 25 KB an operation and more time than all else at a start.

use serde_json::Value;

use super::{nullable, publish};

/// What the one document is made of.
pub(crate) struct Documents {
    /// The document of what is bound beside.
    public: Value,
    /// What each service adds, by its name, as JSON text.
    added: Vec<(String, Box<str>)>,
    /// All of these as one, where something is composed of them.
    laid: Option<Value>,
}

impl Documents {
    /// Over this one alone.
    pub(super) fn over(public: Value) -> Self {
        Self { public, added: Vec::new(), laid: None }
    }

    /// With that of a service.
    pub(super) fn add(&mut self, service: &str, published: &Value) {
        self.added.push((service.to_owned(), published.to_string().into()));
    }

    /// The one document that is published.
    pub(crate) fn whole(&self) -> Value {
        let mut document = self.laid.clone().unwrap_or_else(|| self.lay());
        if !self.added.is_empty() {
            nullable::complete(&mut document);
        }
        document
    }

    /// The document that composed operations are planned over and added to.
    pub(super) fn laid(&mut self) -> &mut Value {
        let laid = self.laid.take().unwrap_or_else(|| self.lay());
        self.laid.insert(laid)
    }

    fn lay(&self) -> Value {
        let mut document = self.public.clone();
        for (service, text) in &self.added {
            // It is what was written.
            let Ok(published) = serde_json::from_str(text) else { continue };
            publish::add(&mut document, service, &published);
        }
        document
    }
}
