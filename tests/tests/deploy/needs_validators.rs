//! Containers and clusters: the files by the judgement of schemas and a linter, and what they say of the gateway by the gateway.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use sluice_tests::{Ended, Gateway, Setup, not_run, root};

use crate::files::{self, path, python, succeeds};

/// A secret no rule complains about.
const SECRET: &str = "9fQ2mT7xLr4Kz8Wb1Nc6Vd3Hs5Jg0PyB";

/// The validators, or the news that there are none.
fn validators() -> Option<PathBuf> {
    files::validators().map_err(|why| not_run("the checks of config/deploy", &why)).ok()
}

/// The documents of YAML files.
fn documents(validators: &PathBuf, paths: &[PathBuf]) -> Vec<Value> {
    let mut python = python(validators);
    let read =
        succeeds("as_json.py", python.arg(root().join("tests/tools/as_json.py")).args(paths));
    serde_json::from_slice(&read.stdout).expect("JSON")
}

fn manifests() -> Vec<PathBuf> {
    let entries = fs::read_dir(path("kubernetes")).expect("a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.is_file());
    paths.push(path("kubernetes/secret/secret.yaml"));
    paths.sort();
    assert!(paths.len() >= 7, "{paths:?}");
    paths
}

/// At an upgrade it is applied whole.
#[test]
fn the_folder_that_is_applied_overwrites_no_secret() {
    for entry in fs::read_dir(path("kubernetes")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).unwrap_or_default();
        assert!(!text.contains("kind: Secret") && !text.contains("CHANGE_ME"), "{path:?}");
    }
}

/// The one manifest of that kind.
fn manifest(validators: &PathBuf, kind: &str) -> Value {
    let all = documents(validators, &manifests());
    all.into_iter().find(|one| one["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

/// `30s` or `1m`, as these files write it.
fn seconds(text: &str) -> u64 {
    let (number, unit) = text.split_at(text.len() - 1);
    let number: u64 = number.parse().unwrap_or_else(|_| panic!("{text}"));
    number * if unit == "m" { 60 } else { 1 }
}

#[test]
fn every_manifest_is_what_kubernetes_takes() {
    let Some(validators) = validators() else { return };

    let mut validate = python(&validators);
    validate.args(["-m", "kubernetes_validate", "--strict"]).args(manifests());
    succeeds("kubernetes-validate", &mut validate);
}

#[test]
fn the_containerfile_has_nothing_a_linter_complains_of() {
    let Some(validators) = validators() else { return };

    let mut lint = Command::new(validators.join("bin/hadolint"));
    succeeds("hadolint", lint.arg("--failure-threshold=style").arg(path("Containerfile")));
}

#[test]
fn the_compose_file_is_one_and_stops_patiently() {
    let Some(validators) = validators() else { return };

    let compose = documents(&validators, &[path("compose.yaml")]).remove(0);

    let gateway = &compose["services"]["gateway"];
    let timeout = gateway["environment"]["SLUICE_SERVER__SHUTDOWN_TIMEOUT"].as_str().expect("text");
    let grace = gateway["stop_grace_period"].as_str().expect("text");
    assert!(seconds(grace) > seconds(timeout), "{grace} and {timeout}");
    assert_eq!(gateway["read_only"], true);
    assert_eq!(gateway["cap_drop"], serde_json::json!(["ALL"]));
}

/// `${NAME:-default}` as compose reads it when nothing is set.
fn unset(text: &str) -> &str {
    let inner = text.strip_prefix("${").and_then(|text| text.strip_suffix('}'));
    inner.and_then(|inner| inner.split_once(":-")).map_or(text, |(_, default)| default)
}

#[tokio::test]
async fn what_compose_tells_the_gateway_is_in_order() {
    let Some(validators) = validators() else { return };
    let compose = documents(&validators, &[path("compose.yaml")]).remove(0);
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("jwt_secret", SECRET.to_owned()),
        ("encryption_key", format!("hex:{}", "0123456789abcdef".repeat(4))),
    ] {
        assert!(compose["secrets"][name]["file"].is_string(), "{name}");
        fs::write(folder.path().join(name), text).expect("the folder is ours");
    }

    let mut setup = bare();
    let variables = compose["services"]["gateway"]["environment"].as_object().expect("variables");
    for (name, value) in variables {
        let value = unset(value.as_str().expect("text"));
        let here = folder.path().display().to_string();
        setup = setup.set(name, &value.replace("/run/secrets", &here));
    }
    let checked = setup.run(&["check"]).await;

    fine(&checked);
    assert!(checked.stdout.contains("a MongoDB"), "{}", checked.stdout);
}

/// Nothing but a place for compiled plugins.
fn bare() -> Setup {
    let mut setup = Setup::new().config("").unset("SLUICE_SERVER__BIND").unset("JWT_SECRET");
    setup = setup.set("SLUICE_TELEMETRY__LEVEL", "info");
    setup
}

fn fine(checked: &Ended) {
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(!checked.stderr.contains("warning"), "{}", checked.stderr);
}

/// The configuration of the cluster with the secrets that `secret` makes of each.
async fn in_the_cluster(validators: &PathBuf, secret: impl Fn(&str, &str) -> String) -> Ended {
    let map = manifest(validators, "ConfigMap");
    let mut setup = bare().config(map["data"]["sluice.toml"].as_str().expect("the file"));
    let secrets = manifest(validators, "Secret");
    for (name, value) in secrets["stringData"].as_object().expect("secrets") {
        setup = setup.set(name, &secret(name, value.as_str().expect("text")));
    }
    setup
        .unset("SLUICE_SANDBOX__CACHE_DIRECTORY")
        .set("SLUICE_SANDBOX__CACHE_DIRECTORY", &cache())
        .run(&["check"])
        .await
}

fn cache() -> String {
    sluice_tests::target().join("tests-compiled").display().to_string()
}

#[tokio::test]
async fn the_configuration_of_the_cluster_is_in_order_once_its_secrets_are_written() {
    let Some(validators) = validators() else { return };

    let written = in_the_cluster(&validators, |name, _| match name {
        "ENCRYPTION_KEY" => format!("hex:{}", "0123456789abcdef".repeat(4)),
        _ => SECRET.to_owned(),
    });
    fine(&written.await);

    let unwritten = in_the_cluster(&validators, |_, value| value.to_owned()).await;
    assert_eq!(unwritten.code, Some(64));
    assert!(unwritten.stderr.contains("auth.jwt_secret"), "{}", unwritten.stderr);
}

/// The pod of the deployment.
fn pod(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["spec"]
}

#[test]
fn one_pod_goes_before_the_next_comes_and_has_time_to() {
    let Some(validators) = validators() else { return };
    let deployment = manifest(&validators, "Deployment");
    let map = manifest(&validators, "ConfigMap");

    let toml = map["data"]["sluice.toml"].as_str().expect("the file");
    let timeout =
        toml.lines().find_map(|line| line.strip_prefix("shutdown_timeout = \"")?.strip_suffix('"'));
    assert_eq!(deployment["spec"]["replicas"], 1);
    assert_eq!(deployment["spec"]["strategy"]["type"], "Recreate");
    let grace = pod(&deployment)["terminationGracePeriodSeconds"].as_u64().expect("seconds");
    assert!(grace > seconds(timeout.expect("a timeout")), "{grace}");
}

#[test]
fn the_pod_may_do_what_the_restricted_standard_lets_it_and_no_more() {
    let Some(validators) = validators() else { return };
    let deployment = manifest(&validators, "Deployment");
    let namespace = manifest(&validators, "Namespace");

    let enforced = "pod-security.kubernetes.io/enforce";
    assert_eq!(namespace["metadata"]["labels"][enforced], "restricted");
    let pod = pod(&deployment);
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    for container in pod["containers"].as_array().expect("containers") {
        let context = &container["securityContext"];
        assert_eq!(context["allowPrivilegeEscalation"], false);
        assert_eq!(context["readOnlyRootFilesystem"], true);
        assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]));
    }
}

/// Asks what the cluster asks.
async fn probed(gateway: &Gateway, probe: &Value) -> u16 {
    let path = probe["httpGet"]["path"].as_str().expect("a path");
    gateway.call("GET", path).send().await.status
}

#[tokio::test]
async fn every_probe_and_prometheus_find_what_they_ask_for() {
    let Some(validators) = validators() else { return };
    let deployment = manifest(&validators, "Deployment");
    let gateway = Setup::new().start().await;

    let container = &pod(&deployment)["containers"][0];
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert_eq!(probed(&gateway, &container[probe]).await, 200, "{probe}");
    }
    let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
    let figures = annotations["prometheus.io/path"].as_str().expect("a path");
    assert_eq!(gateway.call("GET", figures).send().await.status, 200);
    assert_eq!(
        container["ports"][0]["containerPort"].to_string(),
        annotations["prometheus.io/port"].as_str().expect("text")
    );
}

#[test]
fn what_selects_pods_selects_the_gateway() {
    let Some(validators) = validators() else { return };
    let deployment = manifest(&validators, "Deployment");
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];

    let service = manifest(&validators, "Service");
    let policy = manifest(&validators, "NetworkPolicy");
    for selector in [
        &service["spec"]["selector"],
        &policy["spec"]["podSelector"]["matchLabels"],
        &deployment["spec"]["selector"]["matchLabels"],
    ] {
        for (label, value) in selector.as_object().expect("labels") {
            assert_eq!(&labels[label], value, "{label}");
        }
    }
    let claim = manifest(&validators, "PersistentVolumeClaim");
    let claimed = pod(&deployment)["volumes"][1]["persistentVolumeClaim"]["claimName"].clone();
    assert_eq!(claim["metadata"]["name"], claimed);
}

#[test]
fn the_network_lets_prometheus_names_databases_vendors_and_mail_through() {
    let Some(validators) = validators() else { return };

    let policy = manifest(&validators, "NetworkPolicy");

    let ports = |rules: &Value| -> Vec<String> {
        let rules = rules.as_array().expect("rules").iter();
        rules
            .flat_map(|rule| rule["ports"].as_array().cloned().unwrap_or_default())
            .map(|port| port["port"].to_string())
            .collect()
    };
    let egress = ports(&policy["spec"]["egress"]);
    for port in ["53", "27017", "443", "587", "465"] {
        assert!(egress.iter().any(|open| open == port), "{port}: {egress:?}");
    }
    let let_in = policy["spec"]["ingress"].to_string();
    for namespace in ["ingress-nginx", "monitoring"] {
        assert!(let_in.contains(namespace), "{namespace}");
    }
}

#[test]
fn an_image_is_built_from_what_is_under_version_control() {
    let ignored = fs::read_to_string(root().join(".dockerignore")).expect("text");
    let text = files::text("Containerfile");

    for folder in ["/target", "/data", "/.git", "/secrets", "*.env"] {
        assert!(ignored.lines().any(|line| line == folder), "{folder}");
    }
    for word in ["USER 1000:1000", "VOLUME /data", "STOPSIGNAL SIGTERM"] {
        assert!(text.contains(word), "{word}");
    }
    assert!(Path::new(&path("compose.yaml")).is_file());
}
