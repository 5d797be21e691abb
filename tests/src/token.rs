//! Tokens as an identity provider would sign them, and as a forger would.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    since.as_secs().cast_signed()
}

/// What a token of `user` says: no roles, good for an hour.
pub fn claims(user: &str) -> Value {
    expiring_in(user, 3600)
}

/// As [`claims`], good for so many seconds; negative is in the past.
pub fn expiring_in(user: &str, seconds: i64) -> Value {
    json!({ "user_id": user, "roles": [], "exp": now() + seconds })
}

/// Signs `claims` with HMAC-SHA-256, whatever `header` says about the algorithm.
pub fn mint(header: &Value, claims: &Value, secret: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = hmac(secret.as_bytes(), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// RFC 2104 over SHA-256, written out so that the gateway's own library is not its own witness.
pub fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message);
    let outer = Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c));
    outer.chain_update(inner.finalize()).finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::hmac;

    #[test]
    fn the_second_case_of_rfc_4231_comes_out_right() {
        let code = hmac(b"Jefe", b"what do ya want for nothing?");

        assert_eq!(code[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert_eq!(code[28..], [0x64, 0xec, 0x38, 0x43]);
    }
}
