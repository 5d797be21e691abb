use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use proptest::prelude::*;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use serde_json::{Value, json};

use super::*;
use crate::settings;

const SECRET: &str = "9fQ2mT7xLr4Kz8Wb1Nc6Vd3Hs5Jg0PyB";
const OLD_SECRET: &str = "Lr4Kz8Wb1Nc6Vd3Hs5Jg0PyB9fQ2mT7x";
const NOW: Instant = Instant(1_800_000_000_000);
const NOW_SECONDS: u64 = NOW.0 / 1_000;

/// A key to sign with, by the algorithm that is its own.
pub(super) struct Signing {
    key: EncodingKey,
    algorithm: jsonwebtoken::Algorithm,
}

impl Signing {
    fn secret(secret: &str) -> Self {
        let key = EncodingKey::from_secret(secret.as_bytes());
        Self { key, algorithm: jsonwebtoken::Algorithm::HS256 }
    }

    /// A new Ed25519 key: PKCS #8 around 32 random bytes.
    pub(super) fn ed25519() -> Self {
        let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let der = [&head[..], &rand::random::<[u8; 32]>()].concat();
        Self { key: EncodingKey::from_ed_der(&der), algorithm: jsonwebtoken::Algorithm::EdDSA }
    }

    /// A new P-256 key: PKCS #8 around an `ECPrivateKey` of 32 random bytes.
    fn p256() -> Self {
        let head = [
            0x30, 0x41, 2, 1, 0, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a,
            0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 4, 0x27, 0x30, 0x25, 2, 1, 1, 4, 0x20,
        ];
        // Far enough from the order of the curve.
        let scalar: [u8; 32] = std::array::from_fn(|_| rand::random::<u8>() / 2);
        let der = [&head[..], &scalar].concat();
        Self { key: EncodingKey::from_ec_der(&der), algorithm: jsonwebtoken::Algorithm::ES256 }
    }

    fn rsa(bits: usize) -> Self {
        let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, bits).unwrap();
        let der = private.to_pkcs1_der().unwrap();
        let key = EncodingKey::from_rsa_der(der.as_bytes());
        Self { key, algorithm: jsonwebtoken::Algorithm::RS256 }
    }

    /// The public half, under a name.
    pub(super) fn public(&self, id: &str) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(id);
        jwk
    }

    /// Signs texts as they are.
    fn sign(&self, header: &str, claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", part(header), part(claims));
        let signature =
            jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{signed}.{signature}")
    }

    /// A good token for `alice`, naming the key.
    pub(super) fn good(&self, id: &str) -> String {
        let header = json!({ "alg": self.algorithm, "typ": "JWT", "kid": id });
        self.sign(&header.to_string(), &claims(NOW_SECONDS + 60).to_string())
    }
}

pub(super) fn claims(exp: u64) -> Value {
    json!({ "user_id": "alice", "roles": ["user"], "exp": exp })
}

/// What a configuration of both secrets, and of more, comes to.
fn auth_with(more: &[(&str, &str)]) -> Auth {
    let base = [
        ("JWT_SECRET", SECRET),
        ("SLUICE_AUTH__PREVIOUS_JWT_SECRETS", OLD_SECRET),
        ("LLM_PROVIDER_1_ID", "echo"),
        ("LLM_PROVIDER_1_TYPE", "echo"),
    ];
    let pairs = base.iter().chain(more).map(|(name, value)| ((*name).into(), (*value).into()));
    settings::load(&[], pairs).unwrap().settings.auth
}

fn auth() -> Auth {
    auth_with(&[])
}

/// A verifier of the secrets and these keys, and who holds the keys for as long as it lives.
async fn with_keys(keys: &[Value]) -> (Verifier, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    fs::write(&path, json!({ "keys": keys }).to_string()).unwrap();
    let (ring, keeper) = KeyRing::new(KeySource::File(path.clone()));
    keeper.fetch().await;
    let auth = auth_with(&[("SLUICE_AUTH__JWKS_FILE", &path.display().to_string())]);
    (Verifier::new(&auth, Some(ring)), folder)
}

#[tokio::test]
async fn each_algorithm_is_taken_from_its_own_key_only() {
    let (rsa, p256, ed) = (Signing::rsa(2048), Signing::p256(), Signing::ed25519());
    let public = [rsa.public("r"), p256.public("p"), ed.public("e")];
    let (verifier, _folder) = with_keys(&public).await;
    let verify = async |token: String| verifier.verify(&token, NOW).await;

    for (key, id) in [(&rsa, "r"), (&p256, "p"), (&ed, "e")] {
        let identity = verify(key.good(id)).await.unwrap();
        assert_eq!(identity.user.as_str(), "alice");
        assert_eq!(identity.roles, ["user"]);
        // Without a name all keys of the algorithm are tried.
        let header = json!({ "alg": key.algorithm }).to_string();
        let unnamed = key.sign(&header, &claims(NOW_SECONDS + 60).to_string());
        assert!(verify(unnamed).await.is_ok(), "{id}");
    }
    for secret in [SECRET, OLD_SECRET] {
        assert!(verify(Signing::secret(secret).good("whatever")).await.is_ok());
    }

    // What is public signs nothing: the RSA key, in every form it is known in, as a secret.
    let modulus = public[0]["n"].as_str().unwrap();
    let raw = URL_SAFE_NO_PAD.decode(modulus).unwrap();
    for secret in [modulus.as_bytes().to_vec(), raw, public[0].to_string().into_bytes()] {
        let key = EncodingKey::from_secret(&secret);
        let forger = Signing { key, algorithm: jsonwebtoken::Algorithm::HS256 };
        assert_eq!(verify(forger.good("r")).await, Err(TokenRefused::Invalid));
    }
    // Another key of the same kind, under a known name; a known key under another's name.
    for (key, id) in [(Signing::p256(), "p"), (Signing::ed25519(), "e")] {
        assert_eq!(verify(key.good(id)).await, Err(TokenRefused::Invalid), "{id}");
    }
    assert_eq!(verify(ed.good("p")).await, Err(TokenRefused::Invalid));
    // A short RSA key is no key.
    let short =
        KeySet::parse(json!({ "keys": [Signing::rsa(1024).public("s")] }).to_string().as_bytes());
    assert!(short.is_err());
}

/// Headers that are not taken, whatever the claims; each is signed with the good secret.
const HEADERS: &[&str] = &[
    r#"{"alg":"none"}"#,
    r#"{"alg":"None","typ":"JWT"}"#,
    r#"{"alg":"nOnE"}"#,
    r#"{"alg":""}"#,
    r#"{"alg":null}"#,
    r#"{"alg":["HS256"]}"#,
    r#"{"alg":256}"#,
    r#"{"alg":"hs256"}"#,
    r#"{"alg":"HS384"}"#,
    r#"{"alg":"HS512"}"#,
    r#"{"alg":"RS256"}"#,
    r#"{"alg":"PS256"}"#,
    r#"{"alg":"ES256"}"#,
    r#"{"alg":"ES256K"}"#,
    r#"{"alg":"EdDSA"}"#,
    r#"{"alg":"HS256 "}"#,
    r#"{"alg":"none","alg":"HS256"}"#,
    r#"{"alg":"HS256","alg":"none"}"#,
    r#"{"typ":"JWT"}"#,
    "{}",
    r#"["HS256",null,null,null,null,null,null]"#,
    r#""HS256""#,
    "null",
    "",
    r#"{"alg":"HS256"}{}"#,
    r#"{"alg":"HS256""#,
    r#"{"alg":"HS256","typ":"dpop+jwt"}"#,
    r#"{"alg":"HS256","typ":"logout+jwt"}"#,
    r#"{"alg":"HS256","typ":7}"#,
    r#"{"alg":"HS256","crit":["exp"]}"#,
    r#"{"alg":"HS256","crit":[]}"#,
    r#"{"alg":"HS256","b64":false}"#,
    r#"{"alg":"HS256","zip":"DEF"}"#,
    r#"{"alg":"HS256","enc":"A256GCM"}"#,
    r#"{"alg":"HS256","kid":["a"]}"#,
    r#"{"alg":"RS256","kid":"../../../../dev/null"}"#,
    r#"{"alg":"RS256","kid":"' OR 1=1 --"}"#,
    r#"{"alg":"RS256","kid":"http://127.0.0.1/keys"}"#,
    r#"{"alg":"EdDSA","jwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}"#,
    r#"{"alg":"RS256","jku":"https://evil.example/keys","kid":"a"}"#,
    r#"{"alg":"RS256","x5u":"https://evil.example/cert"}"#,
];

/// Claims that are not taken, under a good header and signature. `EXP` is in a minute, `PAST` was an hour ago.
const CLAIMS: &[&str] = &[
    r#"{"user_id":"alice"}"#,
    r#"{"user_id":"alice","exp":null}"#,
    r#"{"user_id":"alice","exp":"EXP"}"#,
    r#"{"user_id":"alice","exp":EXP.0}"#,
    r#"{"user_id":"alice","exp":1e12}"#,
    r#"{"user_id":"alice","exp":-1}"#,
    r#"{"user_id":"alice","exp":0}"#,
    r#"{"user_id":"alice","exp":true}"#,
    r#"{"user_id":"alice","exp":[EXP]}"#,
    r#"{"user_id":"alice","exp":{"at":EXP}}"#,
    r#"{"user_id":"alice","exp":EXP000}"#,
    r#"{"user_id":"alice","exp":18446744073709551615}"#,
    r#"{"user_id":"alice","exp":18446744073709551616}"#,
    r#"{"user_id":"alice","exp":PAST}"#,
    r#"{"user_id":"alice","exp":PAST,"exp":EXP}"#,
    r#"{"user_id":"alice","exp":EXP,"exp":EXP}"#,
    r#"{"user_id":"alice","exp":EXP,"nbf":"0"}"#,
    r#"{"user_id":"alice","exp":EXP,"nbf":0.5}"#,
    r#"{"user_id":"alice","exp":EXP,"nbf":-5}"#,
    r#"{"user_id":"alice","exp":EXP,"nbf":EXP}"#,
    r#"{"user_id":"alice","exp":EXP,"nbf":18446744073709551615}"#,
    r#"{"user_id":"alice","exp":EXP,"iat":"now"}"#,
    r#"{"user_id":"alice","exp":EXP,"iat":EXP}"#,
    r#"{"user_id":"alice","user_id":"root","exp":EXP}"#,
    r#"{"sub":"alice","sub":"root","exp":EXP}"#,
    r#"{"user_id":["alice"],"exp":EXP}"#,
    r#"{"user_id":7,"exp":EXP}"#,
    r#"{"user_id":{"$ne":""},"exp":EXP}"#,
    r#"{"user_id":"","exp":EXP}"#,
    r#"{"user_id":"a\u0000b","exp":EXP}"#,
    r#"{"exp":EXP}"#,
    r#"{"user_id":"alice","exp":EXP,"roles":"admin"}"#,
    r#"{"user_id":"alice","exp":EXP,"roles":{"admin":true}}"#,
    r#"{"user_id":"alice","exp":EXP,"roles":[["admin"]]}"#,
    r#"{"user_id":"alice","exp":EXP,"roles":["user"],"roles":["admin"]}"#,
    r#"{"user_id":"alice","exp":EXP,"name":["Alice"]}"#,
    r#"{"user_id":"alice","exp":EXP,"iss":["https://id.example"]}"#,
    r#"{"user_id":"alice","exp":EXP,"aud":7}"#,
    r#"["alice","alice","Alice",["admin"],EXP,null,null,null,null]"#,
    r#"[{"user_id":"alice","exp":EXP}]"#,
    r#""alice""#,
    "EXP",
    "",
    r#"{"user_id":"alice","exp":EXP}x"#,
    r#"{"user_id":"alice","exp":EXP"#,
];

/// Texts that are no tokens. `H`, `C` and `S` are the parts of a good one.
const TEXTS: &[&str] = &[
    "",
    ".",
    "..",
    "...",
    "H",
    "H.C",
    "H.C.",
    "H..S",
    ".C.S",
    "H.C.S.",
    ".H.C.S",
    "H.C.S.S",
    "H.C.S.S.S",
    "H.C.S=",
    "H.C.S==",
    "H=.C.S",
    "H.C=.S",
    " H.C.S",
    "H.C.S ",
    "H.C.S\n",
    "H .C.S",
    "H.C.SA",
    "H.C.é",
    "H.C.\u{0}",
    "H.C.C",
    "C.H.S",
    "H.C.-",
    "Bearer H.C.S",
    "\"H.C.S\"",
];

#[tokio::test(start_paused = true)]
async fn no_hostile_token_is_taken() {
    assert!(HEADERS.len() + CLAIMS.len() + TEXTS.len() >= 60);
    let secret = Signing::secret(SECRET);
    let (verifier, _folder) = with_keys(&[Signing::ed25519().public("a")]).await;
    let good = secret.good("a");
    assert!(verifier.verify(&good, NOW).await.is_ok(), "the good one is good");
    let mut hostile = Vec::new();
    for header in HEADERS {
        hostile.push(secret.sign(header, &claims(NOW_SECONDS + 60).to_string()));
    }
    for claims in CLAIMS {
        let claims = claims
            .replace("EXP", &(NOW_SECONDS + 60).to_string())
            .replace("PAST", &(NOW_SECONDS - 3_600).to_string());
        hostile.push(secret.sign(r#"{"alg":"HS256","typ":"JWT"}"#, &claims));
    }
    let parts: Vec<&str> = good.split('.').collect();
    for text in TEXTS {
        let words: Vec<String> = text
            .chars()
            .map(|c| match c {
                'H' => parts[0].to_owned(),
                'C' => parts[1].to_owned(),
                'S' => parts[2].to_owned(),
                other => other.to_string(),
            })
            .collect();
        hostile.push(words.concat());
    }
    let padded = json!({ "user_id": "alice", "exp": NOW_SECONDS + 60, "pad": "x".repeat(20_000) });
    hostile.push(secret.sign(r#"{"alg":"HS256"}"#, &padded.to_string()));
    hostile.push(Signing::secret(&SECRET.to_lowercase()).good("a"));
    hostile.push(Signing::secret("").good("a"));
    let deep =
        format!(r#"{{"user_id":"alice","exp":{},"x":{}}}"#, NOW_SECONDS + 60, "[".repeat(5_000));
    hostile.push(secret.sign(r#"{"alg":"HS256"}"#, &deep));

    for token in hostile {
        assert!(verifier.verify(&token, NOW).await.is_err(), "{token}");
    }
}

#[tokio::test]
async fn issuer_and_audience_are_required_where_they_are_expected() {
    let issuer = Some("https://id.example".to_owned());
    let expecting = Auth { issuer, audience: Some("sluice".to_owned()), ..auth() };
    let (strict, lax) = (Verifier::new(&expecting, None), Verifier::new(&auth(), None));
    let secret = Signing::secret(SECRET);
    let token = |more: Value| {
        let mut claims = claims(NOW_SECONDS + 60);
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        secret.sign(r#"{"alg":"HS256"}"#, &claims.to_string())
    };

    for (more, taken) in [
        (json!({ "iss": "https://id.example", "aud": "sluice" }), true),
        (json!({ "iss": "https://id.example", "aud": ["other", "sluice"] }), true),
        (json!({ "iss": "https://id.example", "aud": [] }), false),
        (json!({ "iss": "https://id.example", "aud": "other" }), false),
        (json!({ "iss": "https://id.example" }), false),
        (json!({ "iss": "https://id.example.evil", "aud": "sluice" }), false),
        (json!({ "iss": "", "aud": "sluice" }), false),
        (json!({ "aud": "sluice" }), false),
        (json!({}), false),
    ] {
        let token = token(more.clone());
        assert_eq!(strict.verify(&token, NOW).await.is_ok(), taken, "{more}");
        assert!(lax.verify(&token, NOW).await.is_ok(), "nothing is expected: {more}");
    }
    let seal = Seal::new(&expecting).unwrap();
    let ours = seal.issue(&expecting, "alice", None, &[], NOW, 60).unwrap();
    assert!(strict.verify(&ours, NOW).await.is_ok(), "its own tokens are good");
}

#[tokio::test]
async fn an_algorithm_that_is_not_listed_is_not_taken() {
    let algorithms = vec![Algorithm::EdDsa];
    let verifier = Verifier::new(&Auth { algorithms, ..auth() }, None);

    let taken = verifier.verify(&Signing::secret(SECRET).good("a"), NOW).await;

    assert_eq!(taken, Err(TokenRefused::Invalid));
}

/// Whether a token of these times is taken by a gateway of this leeway.
fn judged(exp: u64, nbf: u64, leeway_ms: u64, now: u64) -> Result<Instant, TokenRefused> {
    let mut claims = claims(exp);
    claims["nbf"] = json!(nbf);
    let token = Signing::secret(SECRET).sign(r#"{"alg":"HS256"}"#, &claims.to_string());
    let expected = Expected { issuer: None, audience: None, leeway_ms };
    let claims = Token::parse(&token).unwrap().claims().unwrap();
    claims.judge(&expected, Instant(now)).map(|identity| identity.expires)
}

proptest! {
    /// A token holds from `nbf` to `exp`, both widened by the leeway to the millisecond, and it says so itself.
    #[test]
    fn a_token_holds_within_its_times_and_the_leeway(
        nbf in 1_000..2_000_u64, lasts in 1..1_000_u64, leeway_ms in 0..300_000_u64, now in 500_000..3_500_000_u64,
    ) {
        let exp = nbf + lasts;
        let expected = if now + leeway_ms < nbf * 1_000 {
            Err(TokenRefused::Invalid)
        } else if now >= exp * 1_000 + leeway_ms {
            Err(TokenRefused::Expired)
        } else {
            Ok(Instant(exp * 1_000 + leeway_ms))
        };
        prop_assert_eq!(judged(exp, nbf, leeway_ms, now), expected);
    }

    /// Whatever single byte of a good token is changed, it is not taken.
    #[test]
    fn a_changed_byte_is_noticed(place in any::<prop::sample::Index>(), byte in 0_u8..128) {
        let mut token = Signing::secret(SECRET).good("a").into_bytes();
        let place = place.index(token.len());
        prop_assume!(token[place] != byte);
        token[place] = byte;
        let token = String::from_utf8(token).unwrap();
        let verifier = Verifier::new(&auth(), None);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        prop_assert!(runtime.block_on(verifier.verify(&token, NOW)).is_err());
    }

    /// No text makes the reader panic, and none is a token by accident.
    #[test]
    fn any_text_is_refused(text in "\\PC*", dots in "[A-Za-z0-9_.-]{0,300}") {
        prop_assert!(Token::parse(&text).is_none());
        prop_assert!(Token::parse(&dots).is_none());
    }
}
