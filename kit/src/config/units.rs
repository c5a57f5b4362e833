//! Values with units: times, sizes and networks, read and shown.

use std::net::IpAddr;

/// Reads `15m`, `500ms`, `1h30m` as milliseconds; a bare `0` needs no unit.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    if text == "0" {
        return Ok(0);
    }
    let wrong = || format!("is {text:?}, not a time");
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (amount, tail) = rest.split_at(digits);
        let amount: u64 = amount.parse().map_err(|_| wrong())?;
        let tail = tail.trim_start();
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let scale = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "" => return Err(format!("is {text:?} without a unit")),
            _ => return Err(wrong()),
        };
        total = amount.checked_mul(scale).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        rest = tail.trim_start();
    }
    Ok(total)
}

/// Reads `1MiB`, `32KiB`, `1MB` (decimal), `512B`, `4096`.
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("is {text:?}, not a size");
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let (amount, unit) = trimmed.split_at(digits);
    let amount: u64 = amount.parse().map_err(|_| wrong())?;
    let scale: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    amount.checked_mul(scale).ok_or_else(wrong)
}

pub(super) fn networks<'a>(items: impl Iterator<Item = &'a str>) -> Result<Vec<String>, String> {
    let mut list = Vec::new();
    for item in items {
        let (address, prefix) = match item.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (item, None),
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            return Err(format!("holds {item:?}"));
        };
        let longest: u8 = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(text) => match text.parse::<u8>() {
                Ok(prefix) if prefix <= longest => prefix,
                _ => return Err(format!("holds {item:?}")),
            },
        };
        list.push(format!("{address}/{prefix}"));
    }
    Ok(list)
}

/// A duration in its largest whole unit.
pub(super) fn show_duration(milliseconds: u64) -> String {
    for (unit, scale) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if milliseconds >= scale && milliseconds.is_multiple_of(scale) {
            return format!("{}{unit}", milliseconds / scale);
        }
    }
    if milliseconds == 0 { "0".to_owned() } else { format!("{milliseconds}ms") }
}

/// A size in its largest whole unit.
pub(super) fn show_bytes(bytes: u64) -> String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if bytes >= 1 << shift && bytes.is_multiple_of(1 << shift) {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    format!("{bytes}B")
}
