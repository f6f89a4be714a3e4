//! Forged claims: whose token it is, for whom, and when.

use countersign_core::jwt::{
    AccessVerifier, Algorithm, KeyId, KeySet, Reason, RefreshVerifier, TokenError, VerifyingKey,
};
use countersign_core::{Seconds, Timestamp};

use crate::forge::{Forge, Kind, encode, mac, quoted};
use crate::support::{
    AUDIENCE, ISSUER, KEYS, LEEWAY, NOW, access_secret, access_verifier, csh, now, refresh_secret,
    refresh_verifier, session,
};

const NO_STRINGS: [&str; 7] = ["null", "true", "42", "1.5", "[]", "{}", r#"["42"]"#];
const NO_DATES: [&str; 18] = [
    "null",
    "true",
    "false",
    "[]",
    "{}",
    r#""""#,
    r#""text""#,
    r#""1800000300""#,
    "-1",
    "-9223372036854775808",
    "1800000300.0",
    "1800000300.5",
    "1.8e9",
    "18e8",
    "1e308",
    "9223372036854775808",
    "18446744073709551616",
    "-0",
];

// attack 13
#[test]
fn a_time_is_a_whole_number_of_seconds() {
    for forge in Forge::all() {
        for json in NO_DATES {
            for name in ["exp", "iat", "nbf"] {
                forge.claim(name, json).is_refused(Reason::Claim(name));
            }
        }
    }
    for json in NO_DATES {
        Forge::access(Algorithm::EdDsa).claim("auth_time", json).is_refused(Reason::Claim("auth_time"));
    }
}

// attack 13
#[test]
fn every_claim_that_the_contract_requires_is_required() {
    for forge in Forge::all() {
        for name in ["token_type", "iss", "sub", "sid", "iat", "exp"] {
            forge.without_claim(name).is_refused(Reason::Claim(name));
        }
        let own: &[&str] = if forge.kind == Kind::Refresh { &["gen"] } else { &["aud", "user_id"] };
        for name in own {
            forge.without_claim(name).is_refused(Reason::Claim(name));
        }
        for name in ["csh", "jti", "auth_time", "nbf"] {
            assert_eq!(forge.without_claim(name).verify(), Ok(()), "{name}");
        }
    }
}

// attack 14
#[test]
fn a_token_expires_exactly_when_now_less_leeway_reaches_exp() {
    for forge in Forge::all() {
        let token = forge.claim("exp", &(NOW + 300).to_string()).token();
        let at = |millis: i64| forge.kind.verify(&token, Timestamp::from_millis((NOW + 310) * 1000 + millis));
        assert_eq!(at(-1), Ok(()));
        assert_eq!(at(0), Err(TokenError::Expired));
        assert_eq!(at(1), Err(TokenError::Expired));
    }
}

// attack 14
#[test]
fn a_token_is_good_from_iat_and_nbf_on_less_leeway() {
    for forge in Forge::all() {
        for name in ["iat", "nbf"] {
            let token = forge.claim(name, &(NOW + 10).to_string()).token();
            let at = |millis: i64| forge.kind.verify(&token, Timestamp::from_millis(NOW * 1000 + millis));
            assert_eq!(at(0), Ok(()));
            assert_eq!(at(-1), Err(Reason::NotYetValid.into()));
            forge.claim(name, &(NOW + 11).to_string()).is_refused(Reason::NotYetValid);
            forge.claim(name, &i64::MAX.to_string()).is_refused(Reason::NotYetValid);
        }
        forge.claim("iat", &(NOW + 11).to_string()).claim("nbf", "0").is_refused(Reason::NotYetValid);
    }
}

// attack 14
#[test]
fn no_time_and_no_leeway_overflows() {
    let moments =
        [i64::MIN, i64::MIN + 1, -1, 0, NOW * 1000, i64::MAX - 1, i64::MAX].map(Timestamp::from_millis);
    let forge = Forge::refresh();
    for leeway in [Seconds(0), Seconds(u32::MAX)] {
        let verifier = RefreshVerifier::new(&[refresh_secret()], ISSUER.into(), leeway).unwrap();
        for (iat, exp) in [(0, 0), (0, i64::MAX), (i64::MAX, i64::MAX), (i64::MAX, 0)] {
            let token = forge.claim("iat", &iat.to_string()).claim("exp", &exp.to_string()).token();
            for now in moments {
                let _ = verifier.verify(&token, now);
            }
        }
    }
    let forever = forge.claim("exp", &i64::MAX.to_string());
    assert_eq!(forever.verify(), Ok(()));
    assert_eq!(forge.claim("exp", "0").verify(), Err(TokenError::Expired));
}

// attack 14
#[test]
fn expired_is_said_only_when_all_else_holds() {
    for forge in Forge::all() {
        let expired = forge.claim("exp", &(NOW - 10).to_string());
        assert_eq!(expired.verify(), Err(TokenError::Expired));
        for flawed in [
            expired.header("alg", r#""none""#),
            expired.header("typ", r#""JWT""#),
            expired.header("crit", r#"["exp"]"#),
            expired.claim("iss", r#""https://other.example""#),
            expired.claim("token_type", r#""id""#),
            expired.claim("sub", r#""x""#),
            expired.claim("sid", r#""x""#),
            expired.claim("csh", r#""x""#),
            expired.claim("iat", &(NOW + 11).to_string()),
        ] {
            assert!(matches!(flawed.verify(), Err(TokenError::Invalid(_))), "{flawed:?}");
        }
        let token = expired.token();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        forge.kind.refuses(&format!("{signed}.{}", encode(signature)), Reason::Signature);
    }
}

#[test]
fn a_refresh_token_of_any_age_still_names_its_session() {
    let verifier = refresh_verifier();
    let expired = Forge::refresh().claim("exp", &(NOW - 1_000_000).to_string());
    assert_eq!(expired.verify(), Err(TokenError::Expired));
    assert_eq!(verifier.verify_any_age(expired.token(), now()).map(|claims| claims.session), Ok(session()));
    for flawed in [
        expired.claim("iss", r#""https://other.example""#),
        expired.claim("token_type", r#""access""#),
        expired.header("typ", r#""at+jwt""#),
        expired.without_claim("exp"),
        expired.claim("gen", "0"),
    ] {
        assert!(matches!(verifier.verify_any_age(flawed.token(), now()), Err(TokenError::Invalid(_))));
    }
    let token = expired.token();
    let forged = format!("{}.{}", token.rsplit_once('.').unwrap().0, encode([0; 32]));
    assert_eq!(verifier.verify_any_age(forged, now()), Err(Reason::Signature.into()));
}

// attack 15
#[test]
fn neither_token_is_good_as_the_other() {
    let refresh = Forge::refresh().token();
    let access = Forge::access(Algorithm::Hs256).token();
    Kind::Access(Algorithm::Hs256).refuses(&refresh, Reason::Key);
    Kind::Refresh.refuses(&access, Reason::Type);
    for key in KEYS.iter() {
        let token = Forge::access(key.verifying_key().algorithm()).token();
        assert!(matches!(Kind::Refresh.verify(&token, now()), Err(TokenError::Invalid(_))));
    }
}

// attack 15
#[test]
fn neither_token_is_good_as_the_other_even_if_one_secret_signed_both() {
    let secret = access_secret();
    let key = VerifyingKey::hmac(KeyId::parse("HS256").unwrap(), &secret).unwrap();
    let access = AccessVerifier::new(KeySet::new(vec![key]).unwrap(), ISSUER.into(), AUDIENCE.into(), LEEWAY);
    let refresh = RefreshVerifier::new(std::slice::from_ref(&secret), ISSUER.into(), LEEWAY).unwrap();
    let sign = |forge: &Forge| {
        let signed = format!("{}.{}", encode(forge.header_json()), encode(forge.claims_json()));
        format!("{signed}.{}", encode(mac(&secret, signed.as_bytes())))
    };

    let token = Forge::refresh().header("kid", r#""HS256""#);
    assert_eq!(access.verify(sign(&token), now()), Err(Reason::Type.into()));
    let token = token.header("typ", r#""at+jwt""#);
    assert_eq!(access.verify(sign(&token), now()), Err(Reason::Claim("token_type").into()));

    let token = Forge::access(Algorithm::Hs256);
    assert_eq!(refresh.verify(sign(&token), now()), Err(Reason::Type.into()));
    let token = token.header("typ", r#""rt+jwt""#);
    assert_eq!(refresh.verify(sign(&token), now()), Err(Reason::Claim("token_type").into()));
}

// attack 15
#[test]
fn a_csrf_token_or_a_session_id_is_no_jwt() {
    for text in [csh().to_string(), session().to_string()] {
        Kind::Refresh.refuses(&text, Reason::Structure);
        Kind::Access(Algorithm::EdDsa).refuses(&text, Reason::Structure);
    }
}

// attack 15
#[test]
fn token_type_is_exact() {
    for forge in Forge::both() {
        for json in
            [r#""""#, r#""Access""#, r#""REFRESH""#, r#""id""#, r#""access ""#, r#"["access"]"#, "null"]
        {
            forge.claim("token_type", json).is_refused(Reason::Claim("token_type"));
        }
    }
}

// attack 16
#[test]
fn the_issuer_is_ours_to_the_byte() {
    for forge in Forge::both() {
        for iss in [
            "",
            "https://other.example",
            "https://login.example/",
            "https://login.exampl",
            "https://login.example.evil",
            "HTTPS://login.example",
        ] {
            forge.claim("iss", &quoted(iss)).is_refused(Reason::Claim("iss"));
        }
        forge.claim("iss", &format!("[{}]", quoted(ISSUER))).is_refused(Reason::Claim("iss"));
        for json in NO_STRINGS {
            forge.claim("iss", json).is_refused(Reason::Claim("iss"));
        }
    }
}

// attack 16
#[test]
fn the_audience_is_ours_or_a_list_with_ours() {
    let forge = Forge::access(Algorithm::EdDsa);
    let ours = quoted(AUDIENCE);
    for good in [ours.clone(), format!("[{ours}]"), format!(r#"["https://other.example",{ours}]"#)] {
        let read = access_verifier().verify(forge.claim("aud", &good).token(), now()).unwrap();
        assert_eq!(&*read.audience, AUDIENCE);
    }
    for bad in [
        r#""""#.into(),
        "[]".into(),
        quoted("https://api.exampl"),
        quoted("https://api.example.evil"),
        quoted("https://api.example,https://other.example"),
        quoted(ISSUER),
        r#"["https://api.exampl"]"#.into(),
        format!("[[{ours}]]"),
        format!("[{ours},1]"),
        format!("[null,{ours}]"),
        format!(r#"{{"aud":{ours}}}"#),
    ] {
        forge.claim("aud", &bad).is_refused(Reason::Claim("aud"));
    }
    for json in NO_STRINGS {
        forge.claim("aud", json).is_refused(Reason::Claim("aud"));
    }
}

// attack 17
#[test]
fn the_subject_is_the_canonical_decimal_of_a_positive_number() {
    for forge in Forge::both() {
        for sub in [
            "",
            "0",
            "-1",
            "+42",
            "042",
            "42 ",
            " 42",
            "4_2",
            "42.0",
            "0x2a",
            "4e1",
            "alice",
            "\u{ff14}\u{ff12}",
            "9223372036854775808",
            "42\\u0000",
        ] {
            forge.claim("sub", &quoted(sub)).is_refused(Reason::Claim("sub"));
        }
        for json in NO_STRINGS {
            forge.claim("sub", json).is_refused(Reason::Claim("sub"));
        }
    }
    let largest = Forge::access(Algorithm::EdDsa);
    let largest = largest.claim("sub", &quoted(i64::MAX)).claim("user_id", &i64::MAX.to_string());
    assert_eq!(largest.verify(), Ok(()));
}

// attack 17
#[test]
fn user_id_is_the_number_of_the_subject() {
    for json in
        ["41", "0", "-42", r#""42""#, "42.0", "4.2e1", "null", "true", "[42]", "{}", "18446744073709551658"]
    {
        Forge::access(Algorithm::EdDsa).claim("user_id", json).is_refused(Reason::Claim("user_id"));
    }
}

// attack 17
#[test]
fn the_session_is_in_its_canonical_form() {
    for forge in Forge::both() {
        let sid = session().to_string();
        for sid in [
            String::new(),
            sid.to_uppercase(),
            sid.replace('-', ""),
            format!("{{{sid}}}"),
            format!("urn:uuid:{sid}"),
            format!("{sid} "),
            "x".into(),
        ] {
            forge.claim("sid", &quoted(sid)).is_refused(Reason::Claim("sid"));
        }
        for json in NO_STRINGS {
            forge.claim("sid", json).is_refused(Reason::Claim("sid"));
        }
    }
}

// attack 10
#[test]
fn the_countersignature_is_in_its_canonical_form() {
    for forge in Forge::both() {
        let csh = csh().to_string();
        let stray_bits = format!("{}B", encode([0; 32]).strip_suffix('A').unwrap());
        for csh in [
            String::new(),
            csh[..42].into(),
            format!("{csh}A"),
            format!("{csh}="),
            format!("{csh} "),
            encode([0; 31]),
            encode([0; 33]),
            stray_bits,
            "+".repeat(43),
        ] {
            forge.claim("csh", &quoted(csh)).is_refused(Reason::Claim("csh"));
        }
        for json in NO_STRINGS {
            forge.claim("csh", json).is_refused(Reason::Claim("csh"));
        }
    }
}

// attack 13
#[test]
fn an_optional_claim_of_a_wrong_type_is_not_taken_for_an_absent_one() {
    for json in NO_STRINGS {
        Forge::access(Algorithm::EdDsa).claim("jti", json).is_refused(Reason::Claim("jti"));
    }
}

// attack 13
#[test]
fn the_generation_is_a_positive_whole_number() {
    assert_eq!(Forge::refresh().claim("gen", "1").verify(), Ok(()));
    for json in ["0", "-1", "7.0", r#""7""#, "null", "true", "[]", "{}", "9223372036854775808", "1e2"] {
        Forge::refresh().claim("gen", json).is_refused(Reason::Claim("gen"));
    }
}

#[test]
fn claims_that_are_no_object_are_refused() {
    for forge in Forge::both() {
        for claims in ["", "null", "[]", "1", r#""text""#, "{", "{}{}", "\u{feff}{}"] {
            let token = forge.token_of(&encode(forge.header_json()), &encode(claims));
            forge.kind.refuses(&token, Reason::Json);
            let token = forge.token_of(&encode(claims), &encode(forge.claims_json()));
            forge.kind.refuses(&token, Reason::Json);
        }
    }
}
