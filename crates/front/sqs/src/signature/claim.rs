//! The signature data of a request, from the header `Authorization` or, if presigned, from the
//! query string.
//!
//! Everything that determines the request's meaning must occur once and be signed: a second or an
//! unsigned value could change the meaning of a signed request.

use std::collections::BTreeSet;

use hyper::{
    HeaderMap,
    header::{AUTHORIZATION, HOST, HeaderValue},
    http::request::Parts,
};
use stele_wire_sqs::{Error, ErrorKind};

use super::{canonical, incomplete};
use crate::limits::PRESIGNED_LIFE_S_MAX;

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The prefix of headers that determine the request's meaning. Tracing headers, which aren't
/// signed, begin with `x-amzn-`.
const AMZ: &str = "x-amz-";

/// The digest of the body, which some signers send without signing it. The signature covers the
/// body itself.
const CONTENT_DIGEST: &str = "x-amz-content-sha256";

const SIGNATURE_PARAMETER: &str = "X-Amz-Signature";

/// The signature data of a request.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Claim {
    pub(super) access_key_id: String,
    /// Day, region, service and `aws4_request`.
    pub(super) scope: String,
    pub(super) signed_headers: String,
    pub(super) signature: String,
    /// As the client wrote it: `20260102T030405Z`.
    pub(super) instant: String,
    /// The validity of a presigned request, in seconds.
    pub(super) expires_s: Option<u64>,
}

impl Claim {
    /// Parses it.
    pub(super) fn of(head: &Parts) -> Result<Self, Error> {
        let query = head.uri.query().unwrap_or_default();
        let in_query = canonical::pairs(query).any(|(name, _)| name == SIGNATURE_PARAMETER);
        let in_header = head.headers.contains_key(AUTHORIZATION);
        let claim = match (in_header, in_query) {
            (true, true) => {
                return Err(incomplete(
                    "only one of Authorization and X-Amz-Signature may be given",
                ));
            }
            (true, false) => of_header(&head.headers)?,
            (false, true) => of_query(query)?,
            (false, false) => {
                return Err(Error::new(
                    ErrorKind::MissingAuthenticationToken,
                    "The request must contain a valid (registered) AWS access key ID.",
                ));
            }
        };
        claim.check_whole()?;
        claim.check_headers(&head.headers)?;
        Ok(claim)
    }

    fn set_credential(&mut self, credential: &str) -> Result<(), Error> {
        let (id, scope) = credential
            .split_once('/')
            .ok_or_else(|| incomplete("its credential has no scope"))?;
        id.clone_into(&mut self.access_key_id);
        scope.clone_into(&mut self.scope);
        Ok(())
    }

    fn check_whole(&self) -> Result<(), Error> {
        if self.access_key_id.is_empty() || self.signature.is_empty() {
            return Err(incomplete("its credential or signature is missing"));
        }
        Ok(())
    }

    /// Checks that the headers that determine the meaning are signed and occur once.
    fn check_headers(&self, headers: &HeaderMap) -> Result<(), Error> {
        let mut signed = BTreeSet::new();
        for name in self.signed_headers.split(';') {
            // Each repetition of a name would add its header's value to the digested text.
            if !signed.insert(name) {
                return Err(incomplete("a signed header is named twice"));
            }
        }
        if !signed.contains(HOST.as_str()) {
            return Err(incomplete("the header host isn't signed"));
        }
        for name in headers.keys().map(|name| name.as_str()) {
            let decides = name.starts_with(AMZ) && name != CONTENT_DIGEST;
            if decides && !signed.contains(name) {
                return Err(Error::new(
                    ErrorKind::AccessDenied,
                    format!(
                        "There were headers present in the request which were not signed: {name}"
                    ),
                ));
            }
            if (decides || name == HOST.as_str()) && one(headers, name).is_none() {
                return Err(incomplete("a header that must be unique occurs twice"));
            }
        }
        Ok(())
    }
}

/// `AWS4-HMAC-SHA256 Credential=ID/20260102/us-east-1/sqs/aws4_request, SignedHeaders=host,
/// Signature=hex`
fn of_header(headers: &HeaderMap) -> Result<Claim, Error> {
    let authorization = one(headers, AUTHORIZATION.as_str())
        .ok_or_else(|| incomplete("Authorization isn't a single text"))?;
    let parts = authorization
        .strip_prefix(ALGORITHM)
        .ok_or_else(|| incomplete("its algorithm isn't AWS4-HMAC-SHA256"))?;
    let mut claim = Claim::default();
    let mut seen = BTreeSet::new();
    for part in parts.split(',') {
        let part = part.trim().split_once('=');
        let (name, value) = part.ok_or_else(|| incomplete("Authorization has an unknown part"))?;
        if !seen.insert(name) {
            return Err(incomplete("a part of Authorization occurs twice"));
        }
        match name {
            "Credential" => claim.set_credential(value)?,
            "SignedHeaders" => value.clone_into(&mut claim.signed_headers),
            "Signature" => value.clone_into(&mut claim.signature),
            _ => return Err(incomplete("Authorization has an unknown part")),
        }
    }
    let instant = one(headers, "x-amz-date");
    instant
        .ok_or_else(|| incomplete("it has no header X-Amz-Date"))?
        .clone_into(&mut claim.instant);
    Ok(claim)
}

fn of_query(query: &str) -> Result<Claim, Error> {
    let mut claim = Claim::default();
    let mut seen = BTreeSet::new();
    for (name, value) in canonical::pairs(query).filter(|(name, _)| name.starts_with("X-Amz-")) {
        match name.as_str() {
            "X-Amz-Algorithm" if value != ALGORITHM => {
                return Err(incomplete("its algorithm isn't AWS4-HMAC-SHA256"));
            }
            "X-Amz-Credential" => claim.set_credential(&value)?,
            "X-Amz-SignedHeaders" => claim.signed_headers = value,
            SIGNATURE_PARAMETER => claim.signature = value,
            "X-Amz-Date" => claim.instant = value,
            "X-Amz-Expires" => {
                let expires_s = value
                    .parse()
                    .ok()
                    .filter(|life| *life <= PRESIGNED_LIFE_S_MAX);
                claim.expires_s =
                    Some(expires_s.ok_or_else(|| incomplete("X-Amz-Expires is out of range"))?);
            }
            _ => {}
        }
        if !seen.insert(name) {
            return Err(incomplete("a parameter of its signature occurs twice"));
        }
    }
    if !seen.contains("X-Amz-Algorithm") || claim.expires_s.is_none() {
        return Err(incomplete("it has no X-Amz-Algorithm or no X-Amz-Expires"));
    }
    Ok(claim)
}

/// The value of a header that occurs exactly once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter().map(HeaderValue::to_str);
    match (values.next(), values.next()) {
        (Some(Ok(value)), None) => Some(value),
        _ => None,
    }
}
