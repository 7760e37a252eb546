//! Detects HTTP requests sent by web pages of other sites.
//!
//! A port without authentication, on loopback or in a private network, can be reached by any page
//! in a user's browser. A page can send cross-site requests, which a browser marks with
//! `Sec-Fetch-Site` or `Origin`. Or its own host name can resolve to this server's address (DNS
//! rebinding); then only the name in `Host` shows it. A page can't log in or sign, so ports that
//! require authentication skip these checks.
//!
//! References: Fetch Metadata, <https://www.w3.org/TR/fetch-metadata/>; RFC 6454; RFC 6761.

use std::net::{Ipv4Addr, Ipv6Addr};

use hyper::{
    HeaderMap,
    header::{HOST, HeaderName, HeaderValue, ORIGIN, USER_AGENT},
    http::request::Parts,
};

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// A web page of another site sent the request, not the user.
    #[error("requests from web pages of other sites are refused")]
    Page,
    /// The server isn't known by this name; an operator can allow it.
    #[error("{0} isn't a known name of this server; auth.hosts can allow it")]
    Name(String),
}

/// The effect of a port's requests when they come from a page that can't read the responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// They change data.
    Changes,
    /// They only read, so a user may follow a link to this port.
    Reads,
}

/// The configured names of the server. Names that no web page can have are allowed in addition.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    names: Vec<String>,
}

/// A name that allows all names.
const ANY: &str = "*";

/// Top-level domains that don't exist in public DNS.
const PRIVATE_DOMAINS: [&str; 5] = ["localhost", "local", "internal", "svc", "test"];

/// Host names of AWS and of an AWS emulator that clients may be configured to resolve to this
/// server.
const ENDPOINT_DOMAIN: &str = "localhost.localstack.cloud";

/// How much of a name an error message shows.
const SHOWN_CHARACTERS_MAX: usize = 80;

impl Hosts {
    /// Allows these names, besides those that are always allowed.
    pub fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let names = names.into_iter();
        Self {
            names: names
                .map(|name| name.as_ref().trim().to_ascii_lowercase())
                .filter(|name| !name.is_empty())
                .collect(),
        }
    }

    /// Refuses a request from a page of another site, and one whose host name could be the page's
    /// own.
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

    /// Whether a name can't be that of a foreign page: an address, a name that public DNS doesn't
    /// have, an endpoint of AWS, or a configured name. Every browser sends the name.
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

/// The host without its port.
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
    // Some browsers send neither header with a GET to an address without TLS.
    let agent = headers.get(USER_AGENT).map(text).unwrap_or_default();
    effect == Effect::Changes && agent.starts_with("Mozilla/")
}

fn is_of_host(origin: &str, host: &str) -> bool {
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

/// The header's text. A value that isn't text can't match a name, site or origin.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("?:?")
}

#[cfg(test)]
mod tests;
