//! Which requests over HTTP come from a web page that has no business here.
//!
//! A port that lets anybody in, on loopback or in a private network, is reached by whatever page a
//! user's browser shows. A page can send requests to a name that isn't its own, which a browser
//! tells by `Sec-Fetch-Site` or `Origin`; or have its own name resolve to this server's address
//! (DNS rebinding), after which nothing tells but the name, in `Host`. No page can log in or sign:
//! where that is asked for, none of this is.
//!
//! References: Fetch Metadata, <https://www.w3.org/TR/fetch-metadata/>; RFC 6454; RFC 6761.

use std::net::{Ipv4Addr, Ipv6Addr};

use hyper::{
    HeaderMap,
    header::{HOST, HeaderName, HeaderValue, ORIGIN, USER_AGENT},
    http::request::Parts,
};

/// Why a request isn't answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// The user doesn't want it: a page does.
    #[error("a web page from elsewhere may not ask this server")]
    Page,
    /// The server isn't known by this name; an operator may say that it is.
    #[error("{0} isn't a name of this server; auth.hosts can make it one")]
    Name(String),
}

/// What requests of a port do, if they come from a page that can't read the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// They change something.
    Changes,
    /// They only read, so that a user may follow a link to here.
    Reads,
}

/// The names that a server is reached by, beside those that nobody can have a page under.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    names: Vec<String>,
}

/// A name that stands for all names.
const ANY: &str = "*";

/// Top-level domains that public DNS doesn't have.
const PRIVATE_DOMAINS: [&str; 5] = ["localhost", "local", "internal", "svc", "test"];

/// Hosts of AWS and of an emulator of it, which clients are told to take for this server.
const ENDPOINT_DOMAIN: &str = "localhost.localstack.cloud";

/// How much of a name is told.
const SHOWN_CHARACTERS_MAX: usize = 80;

impl Hosts {
    /// These names, and those that need no saying.
    pub fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let names = names.into_iter();
        Self {
            names: names
                .map(|name| name.as_ref().trim().to_ascii_lowercase())
                .filter(|name| !name.is_empty())
                .collect(),
        }
    }

    /// Refuses a request of a page from elsewhere, and one that has come by a name that may be a
    /// page's own.
    pub fn check(&self, head: &Parts, effect: Effect) -> Result<(), Foreign> {
        let named = head.headers.get_all(HOST).iter().map(text);
        let authority = head.uri.authority().map(|authority| authority.as_str());
        for host in named.chain(authority) {
            if !self.is_ours(name_of(host)) {
                let shown = host.chars().take(SHOWN_CHARACTERS_MAX).collect();
                return Err(Foreign::Name(shown));
            }
        }
        if is_of_foreign_page(&head.headers, effect) {
            return Err(Foreign::Page);
        }
        Ok(())
    }

    /// Whether a name can't be that of somebody's page: an address, a name that public DNS doesn't
    /// have, an endpoint of AWS, or one that has been set. No browser leaves it out.
    fn is_ours(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let top = name.rsplit_once('.').map_or(&*name, |(_, top)| top);
        name.parse::<Ipv4Addr>().is_ok()
            || is_bracketed_address(&name)
            || !name.contains(['.', ':'])
            || PRIVATE_DOMAINS.contains(&top)
            || is_endpoint(&name)
            || self.names.iter().any(|ours| ours == ANY || *ours == name)
    }
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_bracketed_address(name: &str) -> bool {
    let inner = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| {
        let (address, _zone) = inner.split_once('%').unwrap_or((inner, ""));
        address.parse::<Ipv6Addr>().is_ok()
    })
}

fn is_endpoint(name: &str) -> bool {
    let under = |domain: &str| {
        name.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let of_aws = name.starts_with("sqs.") && (under("amazonaws.com") || under("amazonaws.com.cn"));
    of_aws || under("queue.amazonaws.com") || under(ENDPOINT_DOMAIN)
}

fn is_of_foreign_page(headers: &HeaderMap, effect: Effect) -> bool {
    let values = |name: &'static str| {
        headers
            .get_all(HeaderName::from_static(name))
            .iter()
            .map(text)
    };
    let mut sites = values("sec-fetch-site").peekable();
    if sites.peek().is_some() {
        let is_own = sites.all(|site| matches!(site, "same-origin" | "none"));
        let shows_itself =
            values("sec-fetch-mode").eq(["navigate"]) && values("sec-fetch-dest").eq(["document"]);
        let is_link = effect == Effect::Reads && shows_itself;
        return !is_own && !is_link;
    }
    let host = headers.get(HOST).map(text).unwrap_or_default();
    let mut origins = headers.get_all(ORIGIN).iter().map(text).peekable();
    if origins.peek().is_some() {
        return origins.any(|origin| !is_of_host(origin, host));
    }
    // Some browsers tell neither of a GET to an address without TLS.
    let agent = headers.get(USER_AGENT).map(text).unwrap_or_default();
    effect == Effect::Changes && agent.starts_with("Mozilla/")
}

fn is_of_host(origin: &str, host: &str) -> bool {
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

/// What isn't text is no name, no site and no origin of anybody's.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("?:?")
}

#[cfg(test)]
mod tests;
