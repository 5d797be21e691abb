//! `[auth]`: which secrets and keys there are, and that what is named fits them.

use std::path::PathBuf;

use sluice_upstream::Document;

use super::values::Values;
use crate::identity::KeySet;
use crate::settings::keys;
use crate::settings::problem::{Findings, Origin, Problem, quoted};
use crate::settings::value::algorithm::Algorithm;
use crate::settings::{Auth, Jwks};

const SECRET: &str = "auth.jwt_secret";
const ADDRESS: &str = "auth.jwks_url";
const FILE: &str = "auth.jwks_file";
const ALGORITHMS: &str = "auth.algorithms";

/// Takes all of it.
pub(super) fn read(values: &mut Values, findings: &mut Findings) -> Auth {
    let secret_origin = values.origin(SECRET);
    let mut secrets_sound = values.is_sound(SECRET);
    let mut secrets = values.secrets(SECRET);
    let (keys_named, jwks) = jwks(values, findings);
    if secrets_sound && secrets.is_empty() && !keys_named {
        let accepted = keys::find(SECRET).map(|key| key.kind.accepted()).unwrap_or_default();
        let wrong = "is required; set it in a file or by JWT_SECRET, or name keys by auth.jwks_url or auth.jwks_file";
        findings.problem(Problem::new(SECRET, secret_origin.clone(), wrong).accepted(accepted));
        secrets_sound = false;
    }
    secrets.extend(values.secrets("auth.previous_jwt_secrets"));
    let has_secret = !secrets.is_empty() || !secrets_sound;
    let algorithms = algorithms(values, has_secret, keys_named, findings);
    if !secrets.is_empty() && !algorithms.contains(&Algorithm::Hs256) {
        findings.warning(SECRET, secret_origin, "is not used: auth.algorithms has no HS256");
    }
    let audience = values.some_text("auth.audience");
    if jwks.is_some() && audience.is_none() {
        let text = "every token that the identity provider signs opens the gateway, also one made for another application";
        findings.warning("auth.audience", Origin::Default, text);
    }
    Auth {
        secrets,
        jwks,
        algorithms,
        leeway: values.duration("auth.leeway"),
        allow_query_token: values.flag("auth.allow_query_token"),
        issuer: values.some_text("auth.issuer"),
        audience,
        admin_roles: values.words("auth.admin_roles"),
    }
}

/// Finds out whether public keys are named, and where they are. Reads the file, so that one without keys is told at the start.
fn jwks(values: &mut Values, findings: &mut Findings) -> (bool, Option<Jwks>) {
    let (address_origin, file_origin) = (values.origin(ADDRESS), values.origin(FILE));
    let (address, file) = (values.some_text(ADDRESS), values.some_text(FILE));
    let named = address.is_some() || file.is_some();
    let jwks = match (address, file) {
        (None, None) => None,
        (Some(_), Some(_)) => {
            let wrong = format!("contradicts {ADDRESS} ({address_origin})");
            findings.problem(Problem::new(FILE, file_origin, wrong).accepted("one of the two"));
            None
        }
        (Some(address), None) => match Document::parse(&address) {
            Ok(document) => Some(Jwks::Web(document)),
            Err(error) => {
                let accepted = "an address such as \"https://id.example.com/keys\"; plain http to loopback and private hosts";
                let problem = Problem::new(ADDRESS, address_origin, error.to_string());
                findings.problem(problem.accepted(accepted));
                None
            }
        },
        (None, Some(file)) => {
            let path = PathBuf::from(file);
            if let Err(error) = KeySet::read(&path) {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let wrong = format!("{error}: {}", cause.unwrap_or_default());
                let accepted = "a JSON Web Key Set with a key for RS256, ES256 or EdDSA";
                findings.problem(Problem::new(FILE, file_origin, wrong).accepted(accepted));
            }
            Some(Jwks::File(path))
        }
    };
    (named, jwks)
}

/// Reads the algorithms and holds them to what there is to verify with. Without any written, all for which there is something.
fn algorithms(
    values: &mut Values,
    has_secret: bool,
    has_keys: bool,
    findings: &mut Findings,
) -> Vec<Algorithm> {
    let origin = values.origin(ALGORITHMS);
    let can = |algorithm: Algorithm| match algorithm {
        Algorithm::Hs256 => has_secret,
        Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa => has_keys,
    };
    let names = values.words(ALGORITHMS);
    if names.is_empty() {
        let all = Algorithm::NAMES.iter().map(|(_, algorithm)| *algorithm);
        return all.filter(|algorithm| can(*algorithm)).collect();
    }
    let mut taken = Vec::new();
    for name in names {
        let wrong = match Algorithm::parse(&name) {
            None => format!("{} is no algorithm for tokens", quoted(&name)),
            Some(algorithm) if can(algorithm) => {
                taken.push(algorithm);
                continue;
            }
            Some(Algorithm::Hs256) => "names HS256, but there is no auth.jwt_secret".to_owned(),
            Some(Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa) => {
                format!("names {name}, but there is neither auth.jwks_url nor auth.jwks_file")
            }
        };
        let accepted = "any of HS256 (with a secret), RS256, ES256 and EdDSA (with keys)";
        findings.problem(Problem::new(ALGORITHMS, origin.clone(), wrong).accepted(accepted));
    }
    taken
}
