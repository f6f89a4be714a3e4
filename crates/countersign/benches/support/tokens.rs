//! Both tokens of a session, and what makes and reads them.

use countersign::core::csrf::{Csh, CsrfKey, CsrfToken};
use countersign::core::jwt::{
    AccessClaims, AccessVerifier, Algorithm, KeyId, KeySet, RefreshClaims, RefreshSigner, RefreshVerifier,
    SigningKey,
};
use countersign::core::{Generation, Seconds, Secret, SessionId, Timestamp, UserId};
use serde_json::Map;

const ISSUER: &str = "https://auth.example.com";
const LEEWAY: Seconds = Seconds(10);

pub struct Tokens {
    pub now: Timestamp,
    pub signing_key: SigningKey,
    pub access_claims: AccessClaims,
    pub access_verifier: AccessVerifier,
    pub access: String,
    pub refresh_signer: RefreshSigner,
    pub refresh_claims: RefreshClaims,
    pub refresh_verifier: RefreshVerifier,
    pub refresh: String,
    pub csrf_key: CsrfKey,
    pub csrf: CsrfToken,
    pub csh: Csh,
    pub session: SessionId,
}

impl Tokens {
    pub fn new() -> Self {
        let now = Timestamp::from_secs(1_795_000_000);
        let session = SessionId::new(now, [7; 10]);
        let csrf_key = CsrfKey::new(&Secret::new([3; 32]));
        let csrf = csrf_key.token(session);
        let csh = csrf.csh();
        let signing_key = SigningKey::generate(Algorithm::EdDsa, KeyId::parse("first").unwrap()).unwrap();
        let access_claims = AccessClaims {
            issuer: ISSUER.into(),
            audience: ISSUER.into(),
            user: UserId(42),
            session,
            jti: Some("AAAAAAAAAAAAAAAAAAAAAA".to_owned()),
            issued_at: now.secs(),
            expires_at: now.secs() + 300,
            auth_time: Some(now.secs()),
            csh: Some(csh),
            extra: Map::new(),
        };
        let refresh_claims = RefreshClaims {
            user: UserId(42),
            session,
            generation: Generation(7),
            issued_at: now.secs(),
            expires_at: now.secs() + 604_800,
            csh: Some(csh),
        };
        let keys = KeySet::new(vec![signing_key.verifying_key().clone()]).unwrap();
        let secret = Secret::new([5; 32]);
        let refresh_signer = RefreshSigner::new(&secret, ISSUER.to_owned()).unwrap();
        Self {
            now,
            access: signing_key.sign_access(&access_claims).unwrap(),
            signing_key,
            access_claims,
            access_verifier: AccessVerifier::new(keys, ISSUER.to_owned(), ISSUER.to_owned(), LEEWAY),
            refresh: refresh_signer.sign(&refresh_claims),
            refresh_signer,
            refresh_claims,
            refresh_verifier: RefreshVerifier::new(&[secret], ISSUER.to_owned(), LEEWAY).unwrap(),
            csrf_key,
            csrf,
            csh,
            session,
        }
    }
}
