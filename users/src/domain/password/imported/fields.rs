//! The parts that hashes are written in: numbers within bounds, and the dialects of Base64.

use base64::{
    Engine,
    alphabet::{self, Alphabet},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::ImportFault;

/// Lenient about padding and about bits that nobody reads: so are the libraries that wrote the hashes.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

/// The standard alphabet.
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// bcrypt's own.
const BCRYPT: GeneralPurpose = GeneralPurpose::new(&ALPHABET_OF_BCRYPT, LENIENT);
const ALPHABET_OF_BCRYPT: Alphabet = alphabet::BCRYPT;

/// Reads the parts of a hash of one scheme, and says what is wrong in its name.
#[derive(Clone, Copy)]
pub(super) struct Reader(pub(super) &'static str);

impl Reader {
    pub(super) fn malformed(self, part: &'static str, fault: &'static str) -> ImportFault {
        ImportFault::Malformed { scheme: self.0, part, fault }
    }

    /// Exactly so many parts between dollar signs.
    pub(super) fn parts<const N: usize>(self, text: &str) -> Result<[&str; N], ImportFault> {
        let parts: Vec<&str> = text.splitn(N + 1, '$').collect();
        parts.try_into().map_err(|_| self.malformed("it", "has too few or too many parts"))
    }

    /// A plain decimal number within bounds.
    pub(super) fn number(
        self,
        part: &'static str,
        text: &str,
        least: u32,
        most: u32,
    ) -> Result<u32, ImportFault> {
        if text.is_empty() || text.len() > 20 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.malformed(part, "is no number"));
        }
        let bounds =
            ImportFault::OutOfBounds { scheme: self.0, part, least: u64::from(least), most: u64::from(most) };
        match text.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(bounds),
        }
    }

    /// The values of `a=1,b=2`, with exactly these names in this order.
    pub(super) fn named<'t, const N: usize>(
        self,
        text: &'t str,
        names: [&str; N],
    ) -> Result<[&'t str; N], ImportFault> {
        let wrong = || self.malformed("its parameters", "are not as the scheme writes them");
        let mut values = [""; N];
        let mut pairs = text.split(',');
        for (name, value) in names.iter().zip(&mut values) {
            let pair = pairs.next().and_then(|pair| pair.split_once('='));
            *value = pair.filter(|(found, _)| found == name).map(|(_, value)| value).ok_or_else(wrong)?;
        }
        if pairs.next().is_some() { Err(wrong()) } else { Ok(values) }
    }

    /// Bytes in standard Base64.
    pub(super) fn bytes(self, part: &'static str, text: &str) -> Result<Vec<u8>, ImportFault> {
        STANDARD.decode(text).map_err(|_| self.malformed(part, "is no Base64"))
    }

    /// Bytes in the Base64 of passlib, which writes `.` for `+`.
    pub(super) fn adapted_bytes(self, part: &'static str, text: &str) -> Result<Vec<u8>, ImportFault> {
        self.bytes(part, &text.replace('.', "+"))
    }

    /// Bytes in the Base64 of bcrypt.
    pub(super) fn bcrypt_bytes(self, part: &'static str, text: &str) -> Result<Vec<u8>, ImportFault> {
        BCRYPT.decode(text).map_err(|_| self.malformed(part, "is not in the Base64 of bcrypt"))
    }

    /// Bytes of a length within bounds.
    pub(super) fn sized(
        self,
        part: &'static str,
        bytes: Vec<u8>,
        least: usize,
        most: usize,
    ) -> Result<Vec<u8>, ImportFault> {
        if (least..=most).contains(&bytes.len()) {
            Ok(bytes)
        } else {
            Err(self.malformed(part, "is too short or too long"))
        }
    }
}
