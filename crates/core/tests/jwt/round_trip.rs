//! What our signers write, our verifiers read, under every algorithm and across the rotation of keys.

use countersign_core::jwt::{
    AccessClaims, Algorithm, KeyError, KeyId, KeySet, RefreshSigner, RefreshVerifier, SigningError,
    SigningKey, TokenError,
};
use countersign_core::{Secret, Timestamp};
use serde_json::{Map, Value, json};

use crate::support::{
    AUDIENCE, ISSUER, KEYS, LEEWAY, NOW, access_claims, access_verifier, csh, json_of, kid, now,
    refresh_claims, refresh_secret, refresh_verifier, session, verifier_of,
};

#[test]
fn an_access_token_of_every_algorithm_is_read_back_as_it_was_written() {
    let verifier = access_verifier();
    for key in KEYS.iter() {
        let token = key.sign_access(&access_claims()).unwrap();
        assert_eq!(verifier.verify(&token, now()), Ok(access_claims()));
    }
}

#[test]
fn an_access_token_says_what_the_contract_says() {
    let token = KEYS[0].sign_access(&access_claims()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(json_of(parts[0]), json!({"alg": "EdDSA", "kid": "EdDSA", "typ": "at+jwt"}));
    let claims = json!({
        "token_type": "access", "iss": ISSUER, "aud": AUDIENCE, "sub": "42", "user_id": 42,
        "sid": session().to_string(), "jti": "an id", "iat": NOW, "exp": NOW + 300, "auth_time": NOW - 60,
        "csh": csh().to_string(), "groups": ["staff"], "is_superuser": false,
    });
    assert_eq!(json_of(parts[1]), claims);
}

#[test]
fn a_refresh_token_says_what_the_contract_says() {
    let token = RefreshSigner::new(&refresh_secret(), ISSUER.into()).unwrap().sign(&refresh_claims());
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(json_of(parts[0]), json!({"alg": "HS256", "typ": "rt+jwt"}));
    let claims = json!({
        "token_type": "refresh", "iss": ISSUER, "sub": "42", "sid": session().to_string(), "gen": 7,
        "iat": NOW, "exp": NOW + 604_800, "csh": csh().to_string(),
    });
    assert_eq!(json_of(parts[1]), claims);
    assert_eq!(refresh_verifier().verify(token, now()), Ok(refresh_claims()));
}

#[test]
fn a_token_without_optional_claims_is_read_back_too() {
    let claims = AccessClaims { jti: None, auth_time: None, csh: None, extra: Map::new(), ..access_claims() };
    let token = KEYS[0].sign_access(&claims).unwrap();
    assert_eq!(access_verifier().verify(token, now()), Ok(claims));
}

#[test]
fn extra_claims_never_replace_our_own() {
    let extra = json!({"sub": "1", "user_id": 1, "exp": 9, "csh": "x", "iss": 1, "token_type": "refresh"});
    let claims = AccessClaims { csh: None, extra: extra.as_object().unwrap().clone(), ..access_claims() };
    let token = KEYS[0].sign_access(&claims).unwrap();
    let read = access_verifier().verify(token, now());
    assert_eq!(read, Ok(AccessClaims { extra: Map::new(), ..claims }));
}

#[test]
fn a_token_that_no_verifier_would_read_is_not_signed() {
    let mut claims = access_claims();
    claims.extra.insert("permissions".into(), vec!["permission"; 1000].into());
    assert_eq!(KEYS[0].sign_access(&claims), Err(SigningError::TooLong));
}

// attack 24
#[test]
fn a_key_pair_signs_on_after_it_was_stored() {
    for key in &KEYS[..3] {
        let algorithm = key.verifying_key().algorithm();
        let stored = key.to_pkcs8().unwrap();
        let restored = SigningKey::from_pkcs8(algorithm, kid(algorithm.as_str()), &stored).unwrap();
        let token = restored.sign_access(&access_claims()).unwrap();
        assert!(access_verifier().verify(token, now()).is_ok(), "{algorithm}");
    }
}

#[test]
fn a_stored_key_is_not_read_under_another_algorithm() {
    for key in &KEYS[..3] {
        let own = key.verifying_key().algorithm();
        let stored = key.to_pkcs8().unwrap();
        for other in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256, Algorithm::Hs256] {
            let read = SigningKey::from_pkcs8(other, kid("k"), &stored);
            assert_eq!(read.is_ok(), own == other, "{own} as {other}");
        }
    }
}

#[test]
fn an_hmac_key_is_neither_generated_nor_stored() {
    let generated = SigningKey::generate(Algorithm::Hs256, kid("k"));
    assert_eq!(generated.unwrap_err(), KeyError::NotAKeyPair);
    assert_eq!(KEYS[3].to_pkcs8(), Err(KeyError::NotAKeyPair));
}

// attack 24
#[test]
fn a_removed_key_verifies_nothing_and_a_kept_one_goes_on() {
    let [old, new] = ["old", "new"].map(|name| SigningKey::generate(Algorithm::EdDsa, kid(name)).unwrap());
    let token = old.sign_access(&access_claims()).unwrap();
    let both = verifier_of(vec![old.verifying_key().clone(), new.verifying_key().clone()]);
    let claims = both.verify(&token, now()).unwrap();

    let after = verifier_of(vec![new.verifying_key().clone()]);
    assert!(matches!(after.verify(&token, now()), Err(TokenError::Invalid(_))));
    assert!(after.verify(new.sign_access(&access_claims()).unwrap(), now()).is_ok());

    // attack 23: a cache of verified tokens asks this at every hit
    assert_eq!(both.recheck(claims.expires_at, now()), Ok(()));
    assert_eq!(both.recheck(claims.expires_at, Timestamp::from_secs(NOW + 310)), Err(TokenError::Expired));
}

// attack 24
#[test]
fn a_refresh_secret_is_changed_without_logging_anyone_out() {
    let [old, new] = [Secret::new([1; 32]), Secret::new([2; 32])];
    let token = RefreshSigner::new(&old, ISSUER.into()).unwrap().sign(&refresh_claims());
    let verify = |secrets: &[Secret]| {
        RefreshVerifier::new(secrets, ISSUER.into(), LEEWAY).unwrap().verify(&token, now())
    };
    assert_eq!(verify(&[new.clone(), old]), Ok(refresh_claims()));
    assert!(matches!(verify(&[new]), Err(TokenError::Invalid(_))));
}

// attack 24
#[test]
fn an_access_secret_is_changed_without_logging_anyone_out() {
    let keys = [Secret::new([1; 32]), Secret::new([2; 32])]
        .map(|secret| SigningKey::hmac(KeyId::of_secret(&secret), &secret).unwrap());
    let both = verifier_of(keys.iter().map(|key| key.verifying_key().clone()).collect());
    for key in &keys {
        assert!(both.verify(key.sign_access(&access_claims()).unwrap(), now()).is_ok());
    }
}

// attack 24
#[test]
fn a_key_set_is_published_without_private_members_and_read_back() {
    let set = KeySet::new(KEYS.iter().map(|key| key.verifying_key().clone()).collect()).unwrap();
    let jwks = set.to_jwks();
    let published: Vec<&Value> = jwks["keys"].as_array().unwrap().iter().collect();
    assert_eq!(published.len(), 3, "the HMAC key is not published");
    for jwk in published {
        let mut members: Vec<&str> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        let expected: &[&str] = match jwk["kty"].as_str().unwrap() {
            "OKP" => &["alg", "crv", "kid", "kty", "use", "x"],
            "EC" => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            _ => &["alg", "e", "kid", "kty", "n", "use"],
        };
        assert_eq!(members, expected);
    }
    let read = KeySet::from_jwks(jwks.to_string().as_bytes()).unwrap();
    assert_eq!(read.to_jwks(), jwks);
    let verifier = verifier_of(read.iter().cloned().collect());
    for key in &KEYS[..3] {
        assert!(verifier.verify(key.sign_access(&access_claims()).unwrap(), now()).is_ok());
    }
}

// attack 26
#[test]
fn a_verifier_of_refresh_tokens_needs_a_sound_secret() {
    let new = |secrets: &[Secret]| RefreshVerifier::new(secrets, ISSUER.into(), LEEWAY).map(|_| ());
    assert_eq!(new(&[]), Err(KeyError::SecretTooShort));
    assert_eq!(new(&[Secret::new([1; 32]), Secret::new([1; 31])]), Err(KeyError::SecretTooShort));
}

#[test]
fn no_signing_key_shows_itself() {
    for key in KEYS.iter() {
        let name = key.verifying_key().kid();
        assert_eq!(format!("{key:?}"), format!("SigningKey({name} {name})"));
    }
}
