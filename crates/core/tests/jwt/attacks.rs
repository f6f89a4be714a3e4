//! Forged tokens: the header, the encoding and the key. Each has one flaw, and that flaw is what is found.

use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::Secret;
use countersign_core::jwt::{Algorithm, KeySet, MAX_TOKEN_LEN, Reason, SigningKey, TokenError};
use serde_json::Value;

use crate::forge::{Forge, Kind, encode, mac, quoted};
use crate::support::{KEYS, access_claims, access_verifier, decode, kid, now, refresh_verifier, verifier_of};

#[test]
fn every_forged_token_is_good_until_it_is_spoilt() {
    for forge in Forge::all() {
        assert_eq!(forge.verify(), Ok(()), "{forge:?}");
    }
}

#[test]
fn whatever_is_wrong_the_client_sees_one_face() {
    let flaws = [
        Reason::TooLong,
        Reason::Structure,
        Reason::Encoding,
        Reason::Json,
        Reason::Header,
        Reason::Extension,
        Reason::Algorithm,
        Reason::Key,
        Reason::Type,
        Reason::Claim("exp"),
        Reason::NotYetValid,
        Reason::Signature,
    ];
    for flaw in flaws {
        assert_eq!(TokenError::Invalid(flaw).to_string(), "the token is not valid");
    }
}

// attack 1
#[test]
fn the_algorithm_none_is_refused() {
    for forge in Forge::all() {
        for none in ["none", "None", "NONE", "nOnE"] {
            let forge = forge.header("alg", &quoted(none));
            forge.is_refused(Reason::Algorithm);
            let token = forge.token();
            let unsigned = token.rsplit_once('.').unwrap().0;
            forge.kind.refuses(&format!("{unsigned}."), Reason::Algorithm);
            forge.kind.refuses(unsigned, Reason::Structure);
        }
    }
}

// attack 2
#[test]
fn a_public_key_is_no_hmac_secret() {
    for key in &KEYS[..3] {
        let algorithm = key.verifying_key().algorithm();
        let honest = Forge::access(algorithm);
        for secret in published_forms(key) {
            for alg in [Algorithm::Hs256, algorithm] {
                let forge = honest.header("alg", &quoted(alg));
                let signed = format!("{}.{}", encode(forge.header_json()), encode(forge.claims_json()));
                let token = format!("{signed}.{}", encode(mac(&Secret::new(&*secret), signed.as_bytes())));
                let flaw = if alg == algorithm { Reason::Signature } else { Reason::Algorithm };
                forge.kind.refuses(&token, flaw);
            }
        }
    }
}

/// The public key as an attacker may have it: PEM in several spellings, DER, raw, JWK.
fn published_forms(key: &SigningKey) -> Vec<Vec<u8>> {
    let pkcs8 = key.to_pkcs8().unwrap();
    let (der, raw) = match key.verifying_key().algorithm() {
        Algorithm::EdDsa => {
            let pair = Ed25519KeyPair::from_pkcs8(pkcs8.expose()).unwrap();
            (pair.public_key().as_der().unwrap().as_ref().to_vec(), pair.public_key().as_ref().to_vec())
        }
        Algorithm::Es256 => {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.expose()).unwrap();
            (pair.public_key().as_der().unwrap().as_ref().to_vec(), pair.public_key().as_ref().to_vec())
        }
        _ => {
            let pair = RsaKeyPair::from_pkcs8(pkcs8.expose()).unwrap();
            (pair.public_key().as_der().unwrap().as_ref().to_vec(), pair.public_key().as_ref().to_vec())
        }
    };
    let base64 = STANDARD.encode(&der);
    let lines: Vec<&str> = base64.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
    let jwk = key.verifying_key().to_jwk().unwrap();
    vec![
        pem.clone().into_bytes(),
        pem.trim_end().into(),
        format!(" {pem}").into_bytes(),
        pem.replace('\n', "\r\n").into_bytes(),
        der,
        raw,
        jwk.to_string().into_bytes(),
        jwk.get("x").or(jwk.get("n")).and_then(Value::as_str).unwrap().into(),
    ]
}

// attack 3
#[test]
fn the_header_does_not_choose_the_algorithm() {
    let names =
        ["", "hs256", "HS256 ", "HS384", "HS512", "ES384", "ES512", "ES256K", "RS384", "PS256", "eddsa"];
    let ours =
        [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256, Algorithm::Hs256].map(Algorithm::as_str);
    for forge in Forge::all() {
        let own = match forge.kind {
            Kind::Access(algorithm) => algorithm,
            Kind::Refresh => Algorithm::Hs256,
        };
        for name in names.iter().chain(&ours).filter(|name| **name != own.as_str()) {
            forge.header("alg", &quoted(name)).is_refused(Reason::Algorithm);
        }
        for json in ["null", "1", "true", "[]", "{}", r#"["HS256"]"#] {
            forge.header("alg", json).is_refused(Reason::Header);
        }
        forge.without_header("alg").is_refused(Reason::Header);
    }
}

// attack 3
#[test]
fn a_published_key_without_alg_verifies_with_the_one_algorithm_of_its_type() {
    for key in &KEYS[..3] {
        let mut jwk = key.verifying_key().to_jwk().unwrap();
        jwk.as_object_mut().unwrap().remove("alg");
        let set = KeySet::from_jwks(serde_json::json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
        let verifier = verifier_of(set.iter().cloned().collect());
        assert!(verifier.verify(key.sign_access(&access_claims()).unwrap(), now()).is_ok());
        let forge = Forge::access(key.verifying_key().algorithm()).header("alg", &quoted("HS256"));
        assert_eq!(verifier.verify(forge.token(), now()), Err(Reason::Algorithm.into()));
    }
}

// attack 4, attack 12
#[test]
fn a_token_has_three_parts_and_all_of_them() {
    for forge in Forge::all() {
        let token = forge.token();
        let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three") };
        let bytes = decode(signature);
        let (cut, extended) = (encode(&bytes[..bytes.len() - 1]), encode([&bytes[..], &[0]].concat()));
        for (token, flaw) in [
            (String::new(), Reason::Structure),
            (".".into(), Reason::Structure),
            ("..".into(), Reason::Json),
            ("...".into(), Reason::Structure),
            (header.into(), Reason::Structure),
            (format!("{header}."), Reason::Structure),
            (format!("{header}.{payload}"), Reason::Structure),
            (format!("{header}.{signature}"), Reason::Structure),
            (format!("{payload}.{signature}"), Reason::Structure),
            (format!("{header}.{payload}."), Reason::Signature),
            (format!("{header}.{payload}.{cut}"), Reason::Signature),
            (format!("{header}.{payload}.{extended}"), Reason::Signature),
            (format!(".{payload}.{signature}"), Reason::Json),
            (format!("{header}..{signature}"), Reason::Json), // attack 9: a detached payload
            (format!("..{signature}"), Reason::Json),
            (format!(".{token}"), Reason::Structure),
            (format!("{token}."), Reason::Structure),
            (format!("{token}.{signature}"), Reason::Structure),
            (format!("{header}.{payload}..{signature}"), Reason::Structure),
            (format!("{token}.AAAA.AAAA"), Reason::Structure), // five parts: a JWE
            (format!("{payload}.{header}.{signature}"), Reason::Header),
        ] {
            forge.kind.refuses(&token, flaw);
        }
    }
}

// attack 22
#[test]
fn a_signature_has_one_form() {
    let ed = Forge::access(Algorithm::EdDsa);
    let es = Forge::access(Algorithm::Es256);
    let rs = Forge::access(Algorithm::Rs256);
    let attack = |forge: &Forge, forged: &dyn Fn(&[u8]) -> Vec<u8>| {
        let signed = format!("{}.{}", encode(forge.header_json()), encode(forge.claims_json()));
        forge.kind.refuses(&format!("{signed}.{}", encode(forged(signed.as_bytes()))), Reason::Signature);
    };
    // S + L instead of S (RFC 8032, section 8.4).
    attack(&ed, &|signed| plus_group_order(ed.sign(signed)));
    // ASN.1 instead of r || s; all zeros (CVE-2022-21449); a zero too many.
    let pkcs8 = KEYS[1].to_pkcs8().unwrap();
    let der = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.expose()).unwrap();
    attack(&es, &|signed| der.sign_digest(&digest(&SHA256, signed)).unwrap().as_ref().to_vec());
    attack(&es, &|_| vec![0; 64]);
    attack(&es, &|signed| [&[0], &es.sign(signed)[..32], &[0], &es.sign(signed)[32..]].concat());
    attack(&rs, &|signed| [&[0], &rs.sign(signed)[..]].concat());
    attack(&rs, &|_| vec![0; 256]);
    attack(&rs, &|_| vec![1]);
}

/// The same signature to a verifier that doesn't check the range of S.
fn plus_group_order(mut signature: Vec<u8>) -> Vec<u8> {
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10_u8,
    ];
    let mut carry = 0;
    for (byte, addend) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(addend) + carry;
        [*byte, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
    signature
}

// attack 6
#[test]
fn a_key_in_the_token_is_never_looked_at() {
    let attacker = SigningKey::generate(Algorithm::EdDsa, kid("attacker")).unwrap();
    let jwk = attacker.verifying_key().to_jwk().unwrap().to_string();
    let named = [
        ("jwk", jwk.as_str()),
        ("jku", r#""https://attacker.example/jwks.json""#),
        ("x5u", r#""https://attacker.example/chain.pem""#),
        ("x5c", r#"["MIIB"]"#),
    ];
    let pair = Ed25519KeyPair::from_pkcs8(attacker.to_pkcs8().unwrap().expose()).unwrap();
    for (name, json) in named {
        let honest = Forge::access(Algorithm::EdDsa).header(name, json);
        assert_eq!(honest.verify(), Ok(()), "{name} is ignored");
        let attack = |forge: &Forge, flaw| {
            let signed = format!("{}.{}", encode(forge.header_json()), encode(forge.claims_json()));
            let token = format!("{signed}.{}", encode(pair.sign(signed.as_bytes())));
            forge.kind.refuses(&token, flaw);
        };
        attack(&honest, Reason::Signature);
        attack(&honest.header("kid", r#""attacker""#), Reason::Key);
        attack(&honest.without_header("kid"), Reason::Key);
    }
}

// attack 7
#[test]
fn a_key_id_names_one_of_our_keys_or_nothing() {
    let names = [
        "",
        "../../../../dev/null",
        "/dev/null",
        "/invalid_path",
        "|sleep 10",
        "x' UNION SELECT '1';--",
        r"\u0000",
        r"EdDSA\u0000",
        "eddsa",
        "EdDSA ",
        "ed",
        "*",
        "0",
    ];
    for forge in Forge::all().filter(|forge| forge.kind != Kind::Refresh) {
        for name in names {
            forge.header("kid", &quoted(name)).is_refused(Reason::Key);
        }
        for json in ["null", "0", "true", "[]", r#"["EdDSA"]"#, "{}"] {
            forge.header("kid", json).is_refused(Reason::Header);
        }
        forge.without_header("kid").is_refused(Reason::Key);
        forge.header("kid", &quoted("k".repeat(1_000_000))).is_refused(Reason::TooLong);
        for other in KEYS
            .iter()
            .map(SigningKey::verifying_key)
            .filter(|key| Kind::Access(key.algorithm()) != forge.kind)
        {
            forge.header("kid", &quoted(other.kid())).is_refused(Reason::Algorithm);
        }
    }
}

// attack 7
#[test]
fn a_token_of_one_key_is_not_good_under_another_of_its_algorithm() {
    let [one, two] = ["one", "two"].map(|name| SigningKey::generate(Algorithm::EdDsa, kid(name)).unwrap());
    let token = one.sign_access(&access_claims()).unwrap();
    let relabelled = SigningKey::from_pkcs8(Algorithm::EdDsa, kid("one"), &two.to_pkcs8().unwrap()).unwrap();
    let verifier = verifier_of(vec![relabelled.verifying_key().clone()]);
    assert_eq!(verifier.verify(token, now()), Err(Reason::Signature.into()));
}

// attack 8, attack 9, attack 12
#[test]
fn an_extension_that_must_be_understood_is_refused() {
    for forge in Forge::all() {
        for json in [
            r#"["exp"]"#,
            r#"["b64"]"#,
            r#"["unknown"]"#,
            "[]",
            r#""exp""#,
            "null",
            "{}",
            "0",
            r#"["exp","exp"]"#,
        ] {
            forge.header("crit", json).is_refused(Reason::Extension);
        }
        for b64 in ["false", "true", "null"] {
            forge.header("b64", b64).is_refused(Reason::Extension);
            forge.header("b64", b64).header("crit", r#"["b64"]"#).is_refused(Reason::Extension);
        }
        forge.header("zip", r#""DEF""#).is_refused(Reason::Extension);
    }
}

// attack 9
#[test]
fn a_payload_that_is_not_encoded_is_refused() {
    for forge in Forge::both() {
        let token = forge.token_of(&encode(forge.header_json()), &forge.claims_json());
        assert!(matches!(forge.kind.verify(&token, now()), Err(TokenError::Invalid(_))));
    }
}

// attack 10
#[test]
fn base64url_has_one_spelling() {
    for forge in Forge::all() {
        // White space in the JSON gives each part every length modulo three.
        for pad in ["", " ", "  "] {
            let header = encode(forge.header_json() + pad);
            let payload = encode(forge.claims_json() + pad);
            let token = forge.token_of(&header, &payload);
            assert_eq!(forge.kind.verify(&token, now()), Ok(()));
            let (signed, signature) = token.rsplit_once('.').unwrap();
            for bad in misspelt(&header) {
                forge.kind.refuses(&forge.token_of(&bad, &payload), Reason::Encoding);
            }
            for bad in misspelt(&payload) {
                forge.kind.refuses(&forge.token_of(&header, &bad), Reason::Encoding);
            }
            for bad in misspelt(signature) {
                forge.kind.refuses(&format!("{signed}.{bad}"), Reason::Encoding);
            }
        }
    }
}

/// Spellings that a lenient decoder takes for the same bytes.
fn misspelt(part: &str) -> Vec<String> {
    let mut spellings = Vec::new();
    for stray in ["=", "==", " ", "\n", "\r\n", "\t", "?", "+", "/", "#", "%3D", "\0", "\u{e9}", "-_"] {
        spellings.push(format!("{part}{stray}"));
        spellings.push(format!("{stray}{part}"));
        spellings.push(format!("{}{stray}{}", &part[..5], &part[5..]));
    }
    // Some strays are letters of the alphabet: those that still decode are no misspelling.
    spellings.retain(|spelling| {
        !spelling.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    });
    spellings.extend(with_stray_bits(part));
    spellings.push(format!("{part}A").chars().take(part.len() / 4 * 4 + 1).collect());
    for (ours, theirs) in [("-", "+"), ("_", "/")] {
        spellings.extend(part.contains(ours).then(|| part.replacen(ours, theirs, 1)));
    }
    spellings
}

/// The last character with another value in the bits that no byte uses.
fn with_stray_bits(part: &str) -> Option<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = part.split_at(part.len() - 1);
    let value = ALPHABET.iter().position(|&byte| [byte] == last.as_bytes()).unwrap();
    (!part.len().is_multiple_of(4)).then(|| format!("{rest}{}", char::from(ALPHABET[value + 1])))
}

// attack 11
#[test]
fn json_serialisation_is_refused() {
    for forge in Forge::all() {
        let token = forge.token();
        let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three") };
        for text in [
            format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#),
            format!(
                r#"{{"payload":"{payload}","signatures":[{{"protected":"{header}","signature":"{signature}"}}]}}"#
            ),
        ] {
            forge.kind.refuses(&text, Reason::Structure);
        }
        for text in [
            format!(r#""{token}""#),
            format!("{{{token}}}"),
            format!("[{token}]"),
            format!("'{token}'"),
            format!("Bearer {token}"),
            format!("{header}.\"{payload}\".{signature}"),
        ] {
            forge.kind.refuses(&text, Reason::Encoding);
        }
    }
}

// attack 12
#[test]
fn what_is_encrypted_or_nested_is_refused_at_once() {
    let forges = Forge::both();
    let started = Instant::now();
    for forge in forges {
        let nested =
            forge.token_of(&encode(forge.header("cty", r#""JWT""#).header_json()), &encode(forge.token()));
        forge.kind.refuses(&nested, Reason::Json);
        let pbes2 = forge.header("alg", r#""PBES2-HS256+A128KW""#).header("p2c", "2147483648");
        pbes2.is_refused(Reason::Algorithm);
        let header = encode(pbes2.header("enc", r#""A128GCM""#).header_json());
        forge.kind.refuses(&format!("{header}.AAAA.AAAA.AAAA.AAAA"), Reason::Structure);
    }
    assert!(started.elapsed().as_secs() < 10, "a derivation of 2^31 rounds takes minutes");
}

// attack 18
#[test]
fn a_member_that_is_there_twice_is_refused() {
    for forge in Forge::all() {
        for (name, json) in
            [("alg", r#""HS256""#), ("kid", r#""EdDSA""#), ("typ", r#""at+jwt""#), ("jku", "1")]
        {
            forge.header(name, json).second_header(name, json).is_refused(Reason::Json);
        }
        forge.second_header(r"\u0061lg", r#""none""#).is_refused(Reason::Json);
        for name in ["exp", "sub", "aud", "iss", "sid", "token_type", "csh", "user_id", "gen", "other"] {
            let forge = forge.claim(name, "1").second_claim(name, "1");
            forge.is_refused(Reason::Json);
        }
        forge.second_claim(r"\u0073ub", r#""1""#).is_refused(Reason::Json);
        forge.claim("other", r#"{"deep":[{"a":1,"a":2}]}"#).is_refused(Reason::Json);
    }
}

// attack 19
#[test]
fn an_access_token_is_of_its_own_type() {
    let forge = Forge::access(Algorithm::EdDsa);
    for typ in ["at+jwt", "at+JWT", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
        assert_eq!(forge.header("typ", &quoted(typ)).verify(), Ok(()), "{typ}");
    }
    for typ in [
        "",
        "JWT",
        "jwt",
        "at",
        "jwt+at",
        "at+jwt ",
        " at+jwt",
        "at+jwt;v=1",
        "at jwt",
        "rt+jwt",
        "text/at+jwt",
        "application/application/at+jwt",
        "/at+jwt",
        "application/jwt",
        "secevent+jwt",
        "at+jws",
    ] {
        forge.header("typ", &quoted(typ)).is_refused(Reason::Type);
    }
    forge.without_header("typ").is_refused(Reason::Type);
    for json in ["null", "1", r#"["at+jwt"]"#, "{}"] {
        forge.header("typ", json).is_refused(Reason::Header);
    }
}

// attack 19
#[test]
fn a_refresh_token_is_of_its_own_type() {
    for typ in ["", "JWT", "at+jwt", "RT+JWT", "rt+JWT", "application/rt+jwt", "rt+jwt ", "rt"] {
        Forge::refresh().header("typ", &quoted(typ)).is_refused(Reason::Type);
    }
    Forge::refresh().without_header("typ").is_refused(Reason::Type);
}

// attack 20
#[test]
fn a_token_is_at_most_8_kib() {
    for forge in Forge::all() {
        let room = MAX_TOKEN_LEN - forge.claim("x", r#""""#).token().len();
        let fits = room / 4 * 3; // base64 makes four characters of three bytes
        let longest = forge.claim("x", &quoted("x".repeat(fits)));
        assert!(longest.token().len() > MAX_TOKEN_LEN - 8);
        assert_eq!(longest.verify(), Ok(()));
        forge.claim("x", &quoted("x".repeat(fits + 6))).is_refused(Reason::TooLong);
        forge.kind.refuses(&"a".repeat(MAX_TOKEN_LEN), Reason::Structure);
        forge.kind.refuses(&"a".repeat(MAX_TOKEN_LEN + 1), Reason::TooLong);
    }
}

// attack 20
#[test]
fn huge_and_deep_tokens_are_refused_at_once() {
    let forges = Forge::both();
    let started = Instant::now();
    for forge in forges {
        for token in ["a".repeat(1_000_000), ".".repeat(1_000_000), "a.".repeat(500_000)] {
            forge.kind.refuses(&token, Reason::TooLong);
        }
        forge.kind.refuses(&".".repeat(MAX_TOKEN_LEN), Reason::Structure);
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        forge.header("x", &deep).is_refused(Reason::TooLong);
        forge.claim("x", &deep).is_refused(Reason::TooLong);
        // What fits into 8 KiB is refused by its depth, unclosed too, and before the signature is looked at.
        for deep in ["[".repeat(2_500) + &"]".repeat(2_500), "[".repeat(5_000), r#"{"a":"#.repeat(1_000)] {
            forge.header("x", &deep).is_refused(Reason::Json);
            forge.claim("x", &deep).is_refused(Reason::Json);
            let unsigned =
                format!("{}.{}.", encode(forge.header_json()), encode(forge.claim("x", &deep).claims_json()));
            forge.kind.refuses(&unsigned, Reason::Json);
        }
    }
    assert!(started.elapsed().as_secs() < 10);
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let token = [Forge::refresh().token().as_bytes(), &[0xff]].concat();
    assert_eq!(refresh_verifier().verify(&token, now()), Err(Reason::Encoding.into()));
    assert_eq!(access_verifier().verify(&token, now()), Err(Reason::Encoding.into()));
}
