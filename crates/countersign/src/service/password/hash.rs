//! A password as it was received, a password as it is stored, and what compares the two.

use std::fmt;
use std::hint::black_box;

use argon2::{Algorithm, Params, Version};
use aws_lc_rs::constant_time;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::format::{Format, Refusal};
use super::function::{Function, Memory, Unfit};

/// The plain text of a password, exactly as it was received: at most 1024 characters, wiped when dropped, hidden from
/// `Debug`.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// A text is longer than any password may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("This password is too long: it can have at most {} characters.", Password::MAX_CHARS)]
pub struct TooLong;

/// What the store keeps of a password: a format's name, parameters, salt and hash in one text. Hidden from `Debug`.
#[derive(Clone)]
pub struct StoredHash(String);

/// What a stored text lets its owner do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// The right password logs them in.
    Verifies,
    /// No password does, and that is meant: the account has none.
    NoPassword,
    /// No password does, since the text can't be used; a sentence says why.
    Refused(String),
}

/// Hashes and compares passwords, one at a time, in memory that it keeps: each hashing thread has one.
pub struct Hasher {
    current: Argon2id,
    memory: Memory,
    hashes: u64,
}

/// The parameters of a new hash.
#[derive(Clone, Copy)]
struct Argon2id {
    m: u32,
    t: u32,
    p: u32,
}

impl Password {
    /// The most characters that a password may have.
    pub const MAX_CHARS: usize = 1024;

    /// Takes a password over, before anything costly is done with it.
    pub fn new(text: impl Into<String>) -> Result<Self, TooLong> {
        let text = Zeroizing::new(text.into());
        if text.chars().nth(Self::MAX_CHARS).is_some() { Err(TooLong) } else { Ok(Self(text)) }
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl StoredHash {
    /// Takes over what the store holds, whatever it is: a text that can't be read matches no password.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it was not made by [`Hasher::hash`] with today's parameters: then the next login replaces it.
    pub fn needs_upgrade(&self) -> bool {
        Argon2id::CURRENT.are_not_those_of(self)
    }

    /// Whether any password can match, without trying one.
    pub fn standing(&self) -> Standing {
        match Format::parse(&self.0) {
            Ok(_) => Standing::Verifies,
            Err(Refusal::Unusable) => Standing::NoPassword,
            Err(refusal) => Standing::Refused(refusal.to_string()),
        }
    }

    /// The function that a check of this hash runs; none if no password matches.
    pub(super) fn function(&self) -> Option<Function> {
        Format::parse(&self.0).ok().map(|format| format.function)
    }
}

impl Argon2id {
    /// OWASP's second choice, and the least that it allows: 19 MiB, two passes, one lane.
    const CURRENT: Self = Self { m: 19_456, t: 2, p: 1 };
    const OUTPUT: usize = 32;

    fn function(self) -> Result<Function, Unfit> {
        Ok(Function::Argon2 {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            params: Params::new(self.m, self.t, self.p, Some(Self::OUTPUT)).map_err(|_| Unfit)?,
        })
    }

    fn prefix(self) -> String {
        let Self { m, t, p } = self;
        format!("$argon2id$v=19$m={m},t={t},p={p}$")
    }

    fn are_not_those_of(self, stored: &StoredHash) -> bool {
        !stored.0.starts_with(&self.prefix())
    }
}

impl Hasher {
    /// A hasher with the parameters of the day. Its 19 MiB are allocated by the first hash.
    pub fn new() -> Self {
        Self::with(Argon2id::CURRENT)
    }

    /// For tests of what surrounds the hash. What it makes is worthless.
    #[cfg(test)]
    pub(super) fn insecure_and_fast() -> Self {
        Self::with(Argon2id { m: 8, t: 1, p: 1 })
    }

    fn with(current: Argon2id) -> Self {
        Self { current, memory: Memory::keeping(current.m as usize), hashes: 0 }
    }

    /// Whether `password` is the one that `stored` was made of.
    ///
    /// Without a stored hash, or with one that matches nothing, the answer is no, after as much work as a hash of
    /// today's parameters. A stored hash that can't be read or asks for absurd work is told of in the log.
    pub fn verify(&mut self, stored: Option<&StoredHash>, password: &Password) -> bool {
        match stored.map(|stored| Format::parse(&stored.0)) {
            Some(Ok(format)) => self.matches(&format, password),
            Some(Err(refusal)) => {
                if refusal != Refusal::Unusable {
                    tracing::warn!("a stored password hash matches no password: {refusal}");
                }
                self.match_nothing(password)
            }
            None => self.match_nothing(password),
        }
    }

    /// The hash of `password` to store; none only if today's parameters were wrong.
    pub fn hash(&mut self, password: &Password, salt: [u8; 16]) -> Option<StoredHash> {
        let mut output = [0; Argon2id::OUTPUT];
        let function = self.current.function().ok()?;
        self.derive(&function, password, &salt, &mut output).ok()?;
        let [salt, output] = [&salt[..], &output[..]].map(|bytes| STANDARD_NO_PAD.encode(bytes));
        Some(StoredHash(format!("{}{salt}${output}", self.current.prefix())))
    }

    /// Whether [`Hasher::hash`] would make another kind of hash.
    pub(super) fn would_upgrade(&self, stored: &StoredHash) -> bool {
        self.current.are_not_those_of(stored)
    }

    /// How many times a password was hashed, in whatever format.
    pub fn hashes(&self) -> u64 {
        self.hashes
    }

    /// How many bytes of memory are kept for the next hash.
    pub fn memory(&self) -> usize {
        self.memory.len()
    }

    /// Gives the memory back to the system until the next hash.
    pub fn release_memory(&mut self) {
        self.memory.release();
    }

    fn matches(&mut self, format: &Format, password: &Password) -> bool {
        let mut output = vec![0; format.output.len()];
        match self.derive(&format.function, password, &format.salt, &mut output) {
            Ok(()) => constant_time::verify_slices_are_equal(&output, &format.output).is_ok(),
            Err(Unfit) => false,
        }
    }

    fn match_nothing(&mut self, password: &Password) -> bool {
        black_box(self.hash(password, [0; 16]));
        false
    }

    fn derive(
        &mut self,
        function: &Function,
        password: &Password,
        salt: &[u8],
        output: &mut [u8],
    ) -> Result<(), Unfit> {
        self.hashes += 1;
        function.derive(password.expose(), salt, output, &mut self.memory)
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What all hashes below were made of.
    const TEXT: &str = "pässwörd with spaces ";
    /// By argon2-cffi 25.1.0, with the salt `0123456789abcdef`.
    const OURS: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$mp1GWZfkixoMtdTCyw7jh7fDS0GcajlbSRR72OJXSSs";
    /// By Django 5.2.19 with its own parameters, over argon2-cffi 25.1.0 and bcrypt 5.0.0.
    const DJANGO: [&str; 4] = [
        "pbkdf2_sha256$1000000$sLgvdAgGfOVDlp6dkuadnG$cMsONCveLd2940JLo9Kk5dbjAQzatiaYDyW7e8Zs0Gs=",
        "argon2$argon2id$v=19$m=102400,t=2,p=8$b2k3NVgxMUo0aU9QYmRoSHNLS2V4eQ$5yHD1rNEmQqmPdnM2Z5UvoubgbnaCc5N23EmFd8ZCMM",
        "bcrypt_sha256$$2b$12$WwWfaqN41igh7KBvIQJOueHUFk1vBFhBT6u1LzMu2NJwH4QgoDTvS",
        "scrypt$16384$KdAdRwuMxn50LHVYrU2bPl$8$5$MhjQ8mGC7SsPFceCldVqST86NVDeWweIxDv3ltidgbr+6ssq4DIoBnFyat3lpZc+41wsUtraEaeskpRHnN/PdQ==",
    ];
    /// Cheaper ones: the first six by Django, as above; then passlib 1.7.4's `django_argon2` and
    /// `django_pbkdf2_sha256`; then argon2-cffi's Argon2i of both versions, and the older without its `v=`.
    const CHEAP: [&str; 11] = [
        "pbkdf2_sha256$1000$hGWZcVsh3p1r242Fa3gi8t$hCV212Nsi0sKxLwzvdipI4YQirFy3Ak1XfYGsHhTIkI=",
        "pbkdf2_sha1$1000$56J7xiSZnof25HaslBJuIC$hiFNgcp9v3wz9l2eyJ60MaKM+Ig=",
        "argon2$argon2id$v=19$m=512,t=2,p=2$MVhmblJvS0ZHcWozbFVWU05MeTdrOA$OoCTJ0EvxWbyLFM9aFC3boxt21X7acgXm6gGmcwjvEg",
        "bcrypt_sha256$$2b$04$BGj9lF4xO8uXQ1msIjaXWux1euTfKxDgsaVyLD0KXRYZUNMlQbE.6",
        "bcrypt$$2b$04$dKsxNQm2TOJ/wq28819/dePhUgNmFs4hC9s003Zch06KrWVqJMCWm",
        "scrypt$1024$C4CitWNpnPVPN9HYmKlvHt$8$1$OI1QKQzcMQ5w5xIcLnQWNAgTOo2sbl+o7ki+4eB5Vv/JzefIjZST8AD58ou+YPLyQgITx+xItNlxJW9G4PEKLA==",
        "argon2$argon2i$v=19$m=512,t=2,p=2$FsI4Z6wVglBKSUnpXesdYw$UYH3YMgyMxmyN4svmyGuOM1P8jErNyC9/ZCQ+3OAqUo",
        "pbkdf2_sha256$1000$9KupjY1CvbEE$2RC++O3K+2eJD8gdUWp3xMOQPgBpR0nDy/dJW/9msqs=",
        "$argon2i$v=19$m=512,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$yvlLFHZDEZDc3BRdRP8ZZQ",
        "$argon2i$v=16$m=512,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$yQk5aphgY4AUVaM3qc1hJw",
        "$argon2i$m=512,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$yQk5aphgY4AUVaM3qc1hJw",
    ];

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    fn stored(text: &str) -> StoredHash {
        StoredHash::new(text)
    }

    // attack 89
    #[test]
    fn a_new_hash_is_argon2id_with_the_parameters_of_the_contract() {
        let made = Hasher::new().hash(&password(TEXT), *b"0123456789abcdef").unwrap();
        assert_eq!(made.as_str(), OURS);
        assert!(!made.needs_upgrade());
    }

    #[test]
    fn the_hashes_of_other_peoples_libraries_verify() {
        let mut hasher = Hasher::new();
        let (right, wrong) = (password(TEXT), password(TEXT.trim_end()));
        for text in DJANGO {
            assert!(hasher.verify(Some(&stored(text)), &right), "{text}");
        }
        for text in CHEAP {
            assert!(hasher.verify(Some(&stored(text)), &right), "{text}");
            assert!(!hasher.verify(Some(&stored(text)), &wrong), "{text}");
        }
    }

    // attack 89
    #[test]
    fn every_hash_but_one_of_todays_parameters_needs_an_upgrade() {
        assert!(!stored(OURS).needs_upgrade());
        for text in DJANGO.iter().chain(&CHEAP) {
            assert!(stored(text).needs_upgrade(), "{text}");
        }
        assert!(stored(&OURS.replace("t=2", "t=1")).needs_upgrade());
        assert!(stored(&OURS.replace("p=1", "p=10")).needs_upgrade());
        assert!(stored(&OURS.replace("argon2id", "argon2i")).needs_upgrade());
    }

    #[test]
    fn a_hash_with_any_bit_changed_does_not_verify() {
        let (mut hasher, right) = (Hasher::insecure_and_fast(), password(TEXT));
        let made = hasher.hash(&right, [7; 16]).unwrap();
        assert!(hasher.verify(Some(&made), &right));
        let output = made.as_str().rfind('$').unwrap() + 1;
        for place in output..made.as_str().len() {
            let mut text = made.as_str().to_owned();
            let other = if &text[place..=place] == "A" { "E" } else { "A" };
            text.replace_range(place..=place, other);
            assert!(!hasher.verify(Some(&stored(&text)), &right), "{text}");
        }
    }

    // attack 88
    #[test]
    fn every_byte_of_a_password_counts_however_long_it_is() {
        let mut hasher = Hasher::insecure_and_fast();
        let legacy = Format::parse(CHEAP[3]).unwrap();
        for length in [64, 72, 73, Password::MAX_CHARS] {
            let text = "a".repeat(length - 1);
            let (right, wrong) = (password(&format!("{text}b")), password(&format!("{text}c")));
            let made = hasher.hash(&right, [7; 16]).unwrap();
            assert!(hasher.verify(Some(&made), &right));
            assert!(!hasher.verify(Some(&made), &wrong));

            let mut outputs = [[0; 23]; 2];
            hasher.derive(&legacy.function, &right, &legacy.salt, &mut outputs[0]).unwrap();
            hasher.derive(&legacy.function, &wrong, &legacy.salt, &mut outputs[1]).unwrap();
            assert_ne!(outputs[0], outputs[1]);
        }
    }

    // attack 88: what Django's plain bcrypt cut off counts from the first login on
    #[test]
    fn a_plain_bcrypt_hash_is_verified_as_django_did_and_its_upgrade_takes_the_whole_password() {
        // By Django 5.2.19 over bcrypt 4.3.0, which cuts; bcrypt 5.0.0 makes no hash of a longer password.
        let made = stored("bcrypt$$2b$04$unX5SDwEtT3vBvgCmrEuIuQ1fca3NTPbFO2K.G4ZkA4jKklU8g7t.");
        let mut hasher = Hasher::insecure_and_fast();
        let x = "x".repeat(72);
        let (right, cut, short) = (format!("{x}x"), format!("{x}y"), "x".repeat(71));
        assert!(hasher.verify(Some(&made), &password(&right)));
        assert!(hasher.verify(Some(&made), &password(&cut)));
        assert!(!hasher.verify(Some(&made), &password(&short)));
        assert!(made.needs_upgrade());
        let upgraded = hasher.hash(&password(&right), [7; 16]).unwrap();
        assert!(hasher.verify(Some(&upgraded), &password(&right)));
        assert!(!hasher.verify(Some(&upgraded), &password(&cut)));

        let made = stored("bcrypt$$2b$04$VqEUjwFD/Sp1.cfEOSIRluK.G3gRRVKwNbZdM6VHzmJF/mmiOCQVW");
        assert!(hasher.verify(Some(&made), &password(&format!("{short}y"))));
        assert!(!hasher.verify(Some(&made), &password(&x)));
        // A NUL is a byte like any other: "a\0b", and no password at all.
        let made = stored("bcrypt$$2b$04$lziWQCBFEuLzp2Bufdq80.PnWl7LgzYvQiXDNbfdNfqvbnayi4kb2");
        assert!(hasher.verify(Some(&made), &password("a\0b")));
        assert!(!hasher.verify(Some(&made), &password("a")));
        let made = stored("bcrypt$$2b$04$GykD2zdqwfevlEmVtLOlMupabD4rZ0A4QUrFTA1bx6o5WdBjISbH2");
        assert!(hasher.verify(Some(&made), &password("")));
    }

    // attack 88
    #[test]
    fn a_nul_does_not_end_a_password() {
        // By Django 5.2.19 over bcrypt 5.0.0.
        let made = stored("bcrypt_sha256$$2b$04$c12EJnhRz46AMIboN87nk.vXi8pf9cUPowxh30xk0xtS6uaMmZBie");
        let mut hasher = Hasher::insecure_and_fast();
        let x = "x".repeat(100);
        assert!(hasher.verify(Some(&made), &password(&format!("{x}\0y"))));
        assert!(!hasher.verify(Some(&made), &password(&format!("{x}\0z"))));
        assert!(!hasher.verify(Some(&made), &password(&x)));
    }

    // attack 88
    #[test]
    fn a_password_has_at_most_1024_characters_of_any_width() {
        assert!(Password::new("🔑".repeat(1024)).is_ok());
        assert_eq!(Password::new("a".repeat(1025)).unwrap_err(), TooLong);
        assert_eq!(TooLong.to_string(), "This password is too long: it can have at most 1024 characters.");
    }

    // attack 91
    #[test]
    fn a_password_counts_as_it_was_received() {
        let mut hasher = Hasher::insecure_and_fast();
        let made = hasher.hash(&password("caf\u{e9}"), [7; 16]).unwrap();
        assert!(hasher.verify(Some(&made), &password("caf\u{e9}")));
        for other in ["cafe\u{301}", "Caf\u{e9}", " caf\u{e9}", "caf\u{e9} ", "caf\u{e9}\n"] {
            assert!(!hasher.verify(Some(&made), &password(other)), "{other:?}");
        }
    }

    // attack 78, attack 89
    #[test]
    fn what_matches_nothing_costs_one_hash_of_todays_parameters() {
        let absurd = OURS.replace("m=19456", "m=4294967295");
        for nothing in [None, Some(""), Some("!"), Some("!abc"), Some("plain text"), Some(absurd.as_str())] {
            let mut hasher = Hasher::insecure_and_fast();
            assert!(!hasher.verify(nothing.map(stored).as_ref(), &password(TEXT)));
            assert_eq!(hasher.hashes(), 1, "{nothing:?}");
            assert_eq!(hasher.memory(), 8 * 1024, "{nothing:?}");
        }
    }

    // attack 107
    #[test]
    fn one_allocation_serves_every_hash() {
        let mut hasher = Hasher::insecure_and_fast();
        hasher.verify(None, &password(TEXT));
        let (place, size) = (hasher.memory.place(), hasher.memory());
        for round in 0..50 {
            let text = CHEAP[round % CHEAP.len()];
            assert!(hasher.verify(Some(&stored(text)), &password(TEXT)));
            hasher.hash(&password(TEXT), [7; 16]).unwrap();
        }
        assert_eq!((hasher.memory.place(), hasher.memory()), (place, size));
    }

    // attack 107
    #[test]
    fn memory_that_was_given_back_is_there_again_for_the_next_hash() {
        let mut hasher = Hasher::new();
        assert_eq!(hasher.memory(), 0);
        assert!(hasher.verify(Some(&stored(OURS)), &password(TEXT)));
        assert_eq!(hasher.memory(), 19_456 * 1024);
        hasher.release_memory();
        assert_eq!(hasher.memory(), 0);
        assert!(hasher.verify(Some(&stored(OURS)), &password(TEXT)));
    }

    #[test]
    fn a_stored_text_says_whether_its_owner_can_log_in() {
        assert_eq!(stored(OURS).standing(), Standing::Verifies);
        assert_eq!(stored("!abc").standing(), Standing::NoPassword);
        for refused in ["md5$salt$hash".to_owned(), OURS.replace("m=19456", "m=4294967295")] {
            assert!(matches!(stored(&refused).standing(), Standing::Refused(_)), "{refused}");
        }
    }

    // attack 116
    #[test]
    fn neither_a_password_nor_its_hash_shows_itself() {
        assert_eq!(format!("{:?}", password("hunter2")), "Password(…)");
        assert_eq!(format!("{:?}", stored(OURS)), "StoredHash(…)");
    }
}
