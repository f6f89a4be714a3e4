//! The formats in which a password can be stored: our own, and those that people bring along from Django.
//!
//! | format | stored as |
//! | --- | --- |
//! | Argon2 (PHC string; ours is one) | `$argon2id$v=19$m=19456,t=2,p=1$salt$hash` |
//! | Django: Argon2 | `argon2$argon2id$v=19$m=102400,t=2,p=8$salt$hash` |
//! | Django: PBKDF2 | `pbkdf2_sha256$1000000$salt$hash`, `pbkdf2_sha1$…` |
//! | Django: bcrypt | `bcrypt_sha256$$2b$12$salthash`, `bcrypt$$2b$12$…` (of which 72 bytes count) |
//! | Django: scrypt | `scrypt$16384$salt$8$5$hash` |
//! | no password is right | `!…`, or nothing |
//!
//! Another format is one more arm of [`Format::parse`] and, if its function is new, of [`Function`].

use std::num::NonZeroU32;

use argon2::{Algorithm, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD, STANDARD_NO_PAD};

use super::function::{Digest, Function};

/// A stored hash has at most so many bytes.
const MAX_STORED: usize = 512;

// What a stored hash may ask for: several times the strongest setting in use, and for one check no more than about
// three seconds of one core and 256 MiB.
const MAX_MEMORY_KIB: u64 = 256 * 1024;
const MAX_ARGON2_WORK: u64 = 4 * 1024 * 1024; // KiB times passes: a hundred times ours
const MAX_ARGON2_LANES: u32 = 255;
const MAX_PBKDF2_ITERATIONS: u32 = 10_000_000; // Django 5.2: 1,000,000
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=16; // Django 5.2: 12
const MAX_SCRYPT_WORK: u64 = 8 * 1024 * 1024; // N times r times p; Django 5.2: 655,360

/// bcrypt's own base64. The spare bits of a last character mean nothing, to other implementations too.
const BCRYPT_BASE64: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true));

/// A stored hash, taken apart.
#[derive(Debug)]
pub(super) struct Format {
    pub(super) function: Function,
    pub(super) salt: Vec<u8>,
    pub(super) output: Vec<u8>,
}

/// Why no password matches a stored hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The account has no password; that is a state, not a fault.
    #[error("it says that there is no password")]
    Unusable,
    #[error("its format is not one that we know")]
    Unknown,
    #[error("its parts don't have the form that its format asks for")]
    Malformed,
    #[error("it asks for more memory or time than we give to one check")]
    TooCostly,
}

impl Format {
    /// Takes a stored hash apart.
    pub(super) fn parse(stored: &str) -> Result<Self, Refusal> {
        if stored.is_empty() || stored.starts_with('!') {
            return Err(Refusal::Unusable);
        }
        if stored.len() > MAX_STORED {
            return Err(Refusal::Malformed);
        }
        match *stored.split('$').collect::<Vec<_>>() {
            ["" | "argon2", name, ref rest @ ..] if name.starts_with("argon2") => argon2(name, rest),
            ["pbkdf2_sha256", iterations, salt, hash] => pbkdf2(Digest::Sha256, iterations, salt, hash),
            ["pbkdf2_sha1", iterations, salt, hash] => pbkdf2(Digest::Sha1, iterations, salt, hash),
            ["bcrypt_sha256", "", "2a" | "2b" | "2y", cost, salt_and_hash] => {
                bcrypt(cost, salt_and_hash, |cost| Function::BcryptSha256 { cost })
            }
            ["bcrypt", "", "2a" | "2b" | "2y", cost, salt_and_hash] => {
                bcrypt(cost, salt_and_hash, |cost| Function::Bcrypt { cost })
            }
            ["scrypt", n, salt, r, p, hash] => scrypt([n, r, p], salt, hash),
            _ => Err(Refusal::Unknown),
        }
    }
}

/// The PHC string of an Argon2 hash; without `v=`, it is the first version.
fn argon2(name: &str, rest: &[&str]) -> Result<Format, Refusal> {
    let algorithm = match name {
        "argon2id" => Algorithm::Argon2id,
        "argon2i" => Algorithm::Argon2i,
        _ => return Err(Refusal::Unknown),
    };
    let (version, params, salt, hash) = match *rest {
        ["v=19", params, salt, hash] => (Version::V0x13, params, salt, hash),
        ["v=16", params, salt, hash] | [params, salt, hash] => (Version::V0x10, params, salt, hash),
        _ => return Err(Refusal::Malformed),
    };
    let mut params = params.split(',');
    let mut param = |name| params.next().and_then(|param| param.strip_prefix(name)).ok_or(Refusal::Malformed);
    let (m, t, p) = (number(param("m=")?)?, number(param("t=")?)?, number(param("p=")?)?);
    if params.next().is_some() {
        return Err(Refusal::Malformed);
    }
    let work = u64::from(m) * u64::from(t);
    if u64::from(m) > MAX_MEMORY_KIB || work > MAX_ARGON2_WORK || p > MAX_ARGON2_LANES {
        return Err(Refusal::TooCostly);
    }
    let (salt, output) = (decode(&STANDARD_NO_PAD, salt)?, hash_bytes(&STANDARD_NO_PAD, hash)?);
    let params = Params::new(m, t, p, Some(output.len())).map_err(|_| Refusal::Malformed)?;
    if salt.len() < argon2::MIN_SALT_LEN || m < 8 * p {
        return Err(Refusal::Malformed);
    }
    Ok(Format { function: Function::Argon2 { algorithm, version, params }, salt, output })
}

fn pbkdf2(digest: Digest, iterations: &str, salt: &str, hash: &str) -> Result<Format, Refusal> {
    let iterations = NonZeroU32::new(number(iterations)?).ok_or(Refusal::Malformed)?;
    if iterations.get() > MAX_PBKDF2_ITERATIONS {
        return Err(Refusal::TooCostly);
    }
    let output = hash_bytes(&STANDARD, hash)?;
    Ok(Format { function: Function::Pbkdf2 { digest, iterations }, salt: salt.into(), output })
}

fn bcrypt(cost: &str, salt_and_hash: &str, function: fn(u32) -> Function) -> Result<Format, Refusal> {
    let cost = number(cost)?;
    if cost > *BCRYPT_COSTS.end() {
        return Err(Refusal::TooCostly);
    }
    let (salt, hash) = salt_and_hash.split_at_checked(22).ok_or(Refusal::Malformed)?;
    if hash.len() != 31 || !BCRYPT_COSTS.contains(&cost) {
        return Err(Refusal::Malformed);
    }
    let (salt, output) = (decode(&BCRYPT_BASE64, salt)?, decode(&BCRYPT_BASE64, hash)?);
    Ok(Format { function: function(cost), salt, output })
}

fn scrypt([n, r, p]: [&str; 3], salt: &str, hash: &str) -> Result<Format, Refusal> {
    let (n, r, p) = (number(n)?, number(r)?, number(p)?);
    if !n.is_power_of_two() || n < 2 || r == 0 || p == 0 {
        return Err(Refusal::Malformed);
    }
    // Three 32-bit numbers can overflow 64 bits; what doesn't fit is certainly too much.
    let blocks = u64::from(n) * u64::from(r);
    let work = blocks.checked_mul(u64::from(p)).ok_or(Refusal::TooCostly)?;
    if blocks / 8 > MAX_MEMORY_KIB || work > MAX_SCRYPT_WORK {
        return Err(Refusal::TooCostly);
    }
    let log_n = u8::try_from(n.ilog2()).map_err(|_| Refusal::Malformed)?;
    Ok(Format {
        function: Function::Scrypt { log_n, r, p },
        salt: salt.into(),
        output: hash_bytes(&STANDARD, hash)?,
    })
}

/// Digits and nothing else; a number too long for 32 bits is too much work, whatever it counts.
fn number(text: &str) -> Result<u32, Refusal> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::Malformed);
    }
    text.parse().map_err(|_| Refusal::TooCostly)
}

fn decode(base64: &GeneralPurpose, text: &str) -> Result<Vec<u8>, Refusal> {
    base64.decode(text).map_err(|_| Refusal::Malformed)
}

/// A hash of 16 to 64 bytes: a shorter one would let a wrong password pass by chance.
fn hash_bytes(base64: &GeneralPurpose, text: &str) -> Result<Vec<u8>, Refusal> {
    decode(base64, text)
        .and_then(|bytes| if (16..=64).contains(&bytes.len()) { Ok(bytes) } else { Err(Refusal::Malformed) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SALT_AND_HASH: &str = "MDEyMzQ1Njc4OWFiY2RlZg$mp1GWZfkixoMtdTCyw7jh7fDS0GcajlbSRR72OJXSSs";
    const PBKDF2_HASH: &str = "hCV212Nsi0sKxLwzvdipI4YQirFy3Ak1XfYGsHhTIkI=";

    fn refusal(stored: &str) -> Option<Refusal> {
        Format::parse(stored).err()
    }

    #[test]
    fn no_hash_and_the_mark_of_django_mean_that_there_is_no_password() {
        assert_eq!(refusal(""), Some(Refusal::Unusable));
        assert_eq!(refusal("!"), Some(Refusal::Unusable));
        assert_eq!(refusal("!sZzE1KtmIrTCYJjb8P9lyBOAp7v0mL6La0V99GCc"), Some(Refusal::Unusable));
    }

    #[test]
    fn a_format_that_is_not_ours_is_unknown() {
        for stored in [
            "hunter2",
            "md5$salt$hash",
            "$2b$12$WwWfaqN41igh7KBvIQJOueHUFk1vBFhBT6u1LzMu2NJwH4QgoDTvS",
            "$6$rounds=5000$salt$hash",
            "$argon2d$v=19$m=512,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$yvlLFHZDEZDc3BRdRP8ZZQ",
            "pbkdf2_sha256$1000$salt",
            "bcrypt_sha256$$2x$12$WwWfaqN41igh7KBvIQJOueHUFk1vBFhBT6u1LzMu2NJwH4QgoDTvS",
        ] {
            assert_eq!(refusal(stored), Some(Refusal::Unknown), "{stored}");
        }
    }

    // attack 89
    #[test]
    fn absurd_parameters_are_refused_and_the_limits_themselves_are_not() {
        let argon2 = |params: &str| refusal(&format!("$argon2id$v=19${params}${SALT_AND_HASH}"));
        assert_eq!(argon2("m=262144,t=16,p=4"), None);
        assert_eq!(argon2("m=262145,t=1,p=1"), Some(Refusal::TooCostly));
        assert_eq!(argon2("m=262144,t=17,p=1"), Some(Refusal::TooCostly));
        assert_eq!(argon2("m=8,t=4294967295,p=1"), Some(Refusal::TooCostly));
        assert_eq!(argon2("m=19456,t=2,p=256"), Some(Refusal::TooCostly));
        assert_eq!(argon2("m=99999999999,t=2,p=1"), Some(Refusal::TooCostly));

        let pbkdf2 = |iterations: &str| refusal(&format!("pbkdf2_sha256${iterations}$salt${PBKDF2_HASH}"));
        assert_eq!(pbkdf2("10000000"), None);
        assert_eq!(pbkdf2("10000001"), Some(Refusal::TooCostly));

        for name in ["bcrypt_sha256", "bcrypt"] {
            let bcrypt = |cost: &str| {
                refusal(&format!("{name}$$2b${cost}$WwWfaqN41igh7KBvIQJOueHUFk1vBFhBT6u1LzMu2NJwH4QgoDTvS"))
            };
            assert_eq!(bcrypt("16"), None);
            assert_eq!(bcrypt("17"), Some(Refusal::TooCostly));
            assert_eq!(bcrypt("31"), Some(Refusal::TooCostly));
        }

        let scrypt = |n: &str, r: &str, p: &str| refusal(&format!("scrypt${n}$salt${r}${p}${PBKDF2_HASH}"));
        assert_eq!(scrypt("262144", "8", "4"), None);
        assert_eq!(scrypt("524288", "8", "1"), Some(Refusal::TooCostly));
        assert_eq!(scrypt("262144", "8", "5"), Some(Refusal::TooCostly));
        assert_eq!(scrypt("2147483648", "4294967295", "4294967295"), Some(Refusal::TooCostly));
    }

    // attack 89
    #[test]
    fn parts_of_the_wrong_form_are_refused() {
        for stored in [
            // Argon2: order, extra members, signs, short salt, memory under its lanes', no hash, a short hash.
            format!("$argon2id$v=19$t=2,m=19456,p=1${SALT_AND_HASH}"),
            format!("$argon2id$v=19$m=19456,t=2,p=1,keyid=AA${SALT_AND_HASH}"),
            format!("$argon2id$v=19$m=+19456,t=2,p=1${SALT_AND_HASH}"),
            format!("$argon2id$v=19$m=19456,t=0,p=1${SALT_AND_HASH}"),
            format!("$argon2id$v=20$m=19456,t=2,p=1${SALT_AND_HASH}"),
            format!("$argon2id$v=19$m=16,t=2,p=4${SALT_AND_HASH}"),
            "$argon2id$v=19$m=19456,t=2,p=1$MDEy$mp1GWZfkixoMtdTCyw7jh7fDS0GcajlbSRR72OJXSSs".into(),
            "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$".into(),
            "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$mp1G".into(),
            // PBKDF2: no iterations, base64 without its padding, an empty hash.
            format!("pbkdf2_sha256$0$salt${PBKDF2_HASH}"),
            format!("pbkdf2_sha256$$salt${PBKDF2_HASH}"),
            format!("pbkdf2_sha256$-1$salt${PBKDF2_HASH}"),
            "pbkdf2_sha256$1000$salt$hCV212Nsi0sKxLwzvdipI4YQirFy3Ak1XfYGsHhTIkI".into(),
            "pbkdf2_sha256$1000$salt$".into(),
            // bcrypt: cost, length, a character of many bytes across the cut.
            "bcrypt_sha256$$2b$03$WwWfaqN41igh7KBvIQJOueHUFk1vBFhBT6u1LzMu2NJwH4QgoDTvS".into(),
            "bcrypt_sha256$$2b$12$WwWfaqN41igh7KBvIQJOueHUFk1vBFhBT6u1LzMu2NJwH4QgoDTv".into(),
            "bcrypt_sha256$$2b$12$WwWfaqN41igh7KBvIQJOué".into(),
            "bcrypt$$2b$03$WwWfaqN41igh7KBvIQJOueHUFk1vBFhBT6u1LzMu2NJwH4QgoDTvS".into(),
            "bcrypt$$2b$12$WwWfaqN41igh7KBvIQJOueHUFk1vBFhBT6u1LzMu2NJwH4QgoDTv".into(),
            // scrypt: N is a power of two.
            format!("scrypt$1000$salt$8$1${PBKDF2_HASH}"),
            format!("scrypt$1$salt$8$1${PBKDF2_HASH}"),
            format!("scrypt$1024$salt$0$1${PBKDF2_HASH}"),
            format!("scrypt$1024$salt$8$0${PBKDF2_HASH}"),
            // No stored hash is that long.
            format!("pbkdf2_sha256$1000${}${PBKDF2_HASH}", "s".repeat(512)),
        ] {
            assert_eq!(refusal(&stored), Some(Refusal::Malformed), "{stored}");
        }
    }

    proptest! {
        // attack 99
        #[test]
        fn no_text_makes_the_parser_panic(stored in r"(\PC*|[$,=a-z0-9_]{0,80}|(pbkdf2_sha256|scrypt|argon2|bcrypt_sha256|bcrypt)(\$[0-9a-zA-Zé=,+/]{0,60}){0,6})") {
            let _ = Format::parse(&stored);
        }
    }
}
