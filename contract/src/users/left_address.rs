//! An address that was a user's until now, as the users service tells the gateway of it in a header.

use std::{fmt, str::FromStr};

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::{Email, UserId};

/// The address that a user had before a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftAddress {
    /// Whose it was.
    pub user: UserId,
    /// Whether it was proved to be theirs.
    pub proved: bool,
    /// The address.
    pub address: Email,
}

/// The text names no such address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not `<user>;proved|unproved;<address>`")]
pub struct NotALeftAddress;

impl fmt::Display for LeftAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proved = if self.proved { "proved" } else { "unproved" };
        let address = utf8_percent_encode(self.address.as_written(), NON_ALPHANUMERIC);
        write!(formatter, "{};{proved};{address}", self.user)
    }
}

impl FromStr for LeftAddress {
    type Err = NotALeftAddress;

    fn from_str(text: &str) -> Result<Self, NotALeftAddress> {
        let mut parts = text.splitn(3, ';');
        let mut next = || parts.next().ok_or(NotALeftAddress);
        let user = next()?.parse().map_err(|_| NotALeftAddress)?;
        let proved = match next()? {
            "proved" => true,
            "unproved" => false,
            _ => return Err(NotALeftAddress),
        };
        let address = percent_decode_str(next()?).decode_utf8().map_err(|_| NotALeftAddress)?;
        Ok(Self { user, proved, address: address.parse().map_err(|_| NotALeftAddress)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_any_script_survives_its_header() {
        for (written, proved) in [("Ann@Example.com", true), ("j\u{fc}rgen@b\u{fc}cher.example", false)] {
            let Ok(address) = written.parse::<Email>() else { panic!("{written}") };
            let left = LeftAddress { user: UserId(7), proved, address };
            let text = left.to_string();
            assert!(text.is_ascii(), "{text}");
            let read: LeftAddress = text.parse().unwrap();
            assert_eq!((read.address.as_written(), &read), (left.address.as_written(), &left));
        }
        for text in
            ["", "7", "7;proved", "7;maybe;a%40example.com", "x;proved;a%40example.com", "7;proved;nobody"]
        {
            assert_eq!(text.parse::<LeftAddress>(), Err(NotALeftAddress), "{text}");
        }
    }
}
