//! Which addresses a name may lead to. A name that only exists inside a network may lead anywhere; any other only out of it, unless
//! the operator grants that: otherwise whoever owns the name could point it at the machine's neighbours.
//!
//! What is looked up here is what is connected to: there is no second look at the name in between (DNS rebinding).

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Suffixes of names that only exist inside a network.
const PRIVATE_SUFFIXES: [&str; 5] = [".local", ".internal", ".svc", ".cluster.local", ".localhost"];

/// Names that the operator lets lead into private networks, in lower case.
pub type Granted = BTreeSet<String>;

/// A name leads into a private network, and nobody granted that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name leads into a private network; grants.private_network of its plugin would let it")]
pub(crate) struct NotGranted;

type Found = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// How names are looked up.
pub(crate) type LookUp = Arc<dyn Fn(String) -> Found + Send + Sync>;

/// Looks names up and keeps what they may lead to.
pub(crate) struct Names {
    granted: Granted,
    look_up: LookUp,
}

impl Names {
    /// By the machine's resolver.
    pub(crate) fn of_the_machine(granted: Granted) -> Self {
        let look_up: LookUp = Arc::new(|name| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        });
        Self::new(granted, look_up)
    }

    pub(crate) fn new(granted: Granted, look_up: LookUp) -> Self {
        Self { granted, look_up }
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_ascii_lowercase();
        let anywhere = is_private_name(&name) || self.granted.contains(&name);
        let found = (self.look_up)(name);
        Box::pin(async move {
            let mut found = found.await?;
            if !anywhere {
                let any = !found.is_empty();
                found.retain(|address| is_public(*address));
                if any && found.is_empty() {
                    return Err(NotGranted.into());
                }
            }
            // The port is the request's.
            let addresses = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// Whether a name can only be one of this machine or of a network of the operator's.
pub(crate) fn is_private_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    !name.contains('.') || PRIVATE_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// Whether an address is one of this machine or of a network of the operator's.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

/// Whether an address is one of the whole internet's. Cloud machines tell secrets to whoever asks a link-local address, so the question
/// is what is public and not what is private (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    if is_private(address) {
        return false;
    }
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => {
            let embedded = embedded_v4(address);
            embedded.is_none_or(|address| is_public(IpAddr::V4(address)))
                && !address.is_unspecified()
                && !address.is_multicast()
                && !address.is_unicast_link_local()
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    let shared = first == 100 && (64..128).contains(&second);
    let benchmarks = first == 198 && (18..20).contains(&second);
    // 0/8 is "this network", 240/4 is reserved.
    first != 0
        && first < 240
        && !address.is_link_local()
        && !address.is_multicast()
        && !shared
        && !benchmarks
}

/// The address that a translator would make of it (NAT64, RFC 6052; 6to4, RFC 3056).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let four = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(four(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[test]
    fn what_is_not_the_whole_internets_is_not_public() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:a00:1::",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in
            ["1.1.1.1", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::101:101"]
        {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    /// What a name leads to, where it is looked up as these addresses.
    async fn led(name: &str, granted: &[&str], found: &[&str]) -> Result<Vec<String>, String> {
        let found: Vec<IpAddr> = found.iter().map(|address| address.parse().unwrap()).collect();
        let look_up: LookUp = Arc::new(move |_| {
            let found = found.clone();
            Box::pin(async move { Ok(found) })
        });
        let granted = granted.iter().map(|&name| name.to_owned()).collect();
        let resolved = Names::new(granted, look_up).resolve(Name::from_str(name).unwrap()).await;
        match resolved {
            Ok(addresses) => Ok(addresses.map(|address| address.ip().to_string()).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn a_public_name_leads_into_no_private_network_unless_granted() {
        let metadata = ["169.254.169.254", "::ffff:127.0.0.1"];
        assert_eq!(led("api.example.com", &[], &metadata).await, Err(NotGranted.to_string()));
        let mixed = ["10.0.0.1", "1.1.1.1"];
        assert_eq!(led("api.example.com", &[], &mixed).await, Ok(vec!["1.1.1.1".to_owned()]));
        let granted = led("API.example.com", &["api.example.com"], &["10.0.0.1"]).await;
        assert_eq!(granted, Ok(vec!["10.0.0.1".to_owned()]));
    }

    #[tokio::test]
    async fn a_private_name_leads_anywhere() {
        for name in ["ollama", "vllm.models.svc", "gpu.internal"] {
            assert_eq!(led(name, &[], &["10.0.0.1"]).await, Ok(vec!["10.0.0.1".to_owned()]));
        }
    }
}
