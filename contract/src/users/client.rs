//! A client of the users service.
