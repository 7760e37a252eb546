//! Signature Version 4: who sent a request, where that is asked.
//!
//! The client signs a digest of the request with a key made of its secret, the day, the region and
//! the service. The same is computed here and compared, in time that doesn't depend on where they
//! differ. The signature comes in the header `Authorization`, or, of a presigned request, in the
//! query string. Nothing of the request is believed before: not even that a key id exists is told
//! apart from a wrong signature by the time that the answer takes.
//!
//! Reference: <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>

mod canonical;
mod instant;

use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use hyper::{HeaderMap, http::request::Parts};
use stele_base_types::{Login, Proof, Timestamp};
use stele_wire_sqs::{Error, ErrorKind};
use subtle::ConstantTimeEq as _;

use self::{canonical::CanonicalRequest, instant::parse_instant_s};
use crate::{
    Settings,
    limits::{PRESIGNED_LIFE_S_MAX, SIGNATURE_SKEW_MS_MAX},
};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a signed request says of its signature.
#[derive(Debug, Default, PartialEq)]
struct Claim {
    access_key_id: String,
    /// Day, region, service and `aws4_request`.
    scope: String,
    signed_headers: String,
    signature: String,
    /// As the client wrote it: `20260102T030405Z`.
    instant: String,
    /// For how long a presigned request is good, in seconds.
    expires_s: Option<u64>,
}

/// Whose access key has signed the request; `None` where no signature is asked for.
pub(crate) fn authenticate(
    settings: &Settings,
    head: &Parts,
    body: &[u8],
    now: Timestamp,
) -> Result<Option<Login>, Error> {
    if settings.credentials.is_empty() {
        return Ok(None);
    }
    let claim = claim(head)?;
    check_instant(&claim, now)?;
    let expected = expected_signature(settings, &claim, head, body)?;
    let known = settings
        .credentials
        .iter()
        .find(|key| key.access_key_id.as_str() == claim.access_key_id);
    let same = bool::from(expected.as_bytes().ct_eq(claim.signature.as_bytes()));
    let Some(known) = known else {
        return Err(Error::new(
            ErrorKind::UnknownAccessKey,
            "The security token included in the request is invalid.",
        ));
    };
    if !same {
        return Err(mismatch(
            "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method.",
        ));
    }
    Ok(Some(Login {
        user: known.access_key_id.clone(),
        proof: Proof::Signature,
    }))
}

fn claim(head: &Parts) -> Result<Claim, Error> {
    if let Some(authorization) = text(&head.headers, "authorization") {
        let mut claim = claim_of_header(authorization)?;
        claim.instant = text(&head.headers, "x-amz-date")
            .ok_or_else(|| incomplete("it has no header X-Amz-Date"))?
            .to_owned();
        return Ok(claim);
    }
    match head.uri.query() {
        Some(query) if query.contains("X-Amz-Signature=") => claim_of_query(query),
        _ => Err(Error::new(
            ErrorKind::MissingAuthenticationToken,
            "The request must contain a valid (registered) AWS access key ID.",
        )),
    }
}

/// `AWS4-HMAC-SHA256 Credential=ID/20260102/us-east-1/sqs/aws4_request, SignedHeaders=host,
/// Signature=hex`
fn claim_of_header(authorization: &str) -> Result<Claim, Error> {
    let parts = authorization
        .strip_prefix(ALGORITHM)
        .ok_or_else(|| incomplete("its algorithm isn't AWS4-HMAC-SHA256"))?;
    let mut claim = Claim::default();
    for part in parts.split(',') {
        match part.trim().split_once('=') {
            Some(("Credential", value)) => set_credential(&mut claim, value)?,
            Some(("SignedHeaders", value)) => value.clone_into(&mut claim.signed_headers),
            Some(("Signature", value)) => value.clone_into(&mut claim.signature),
            _ => return Err(incomplete("Authorization has an unknown part")),
        }
    }
    check_whole(claim)
}

fn claim_of_query(query: &str) -> Result<Claim, Error> {
    let mut claim = Claim::default();
    for (name, value) in canonical::pairs(query) {
        match name.as_str() {
            "X-Amz-Algorithm" if value != ALGORITHM => {
                return Err(incomplete("its algorithm isn't AWS4-HMAC-SHA256"));
            }
            "X-Amz-Credential" => set_credential(&mut claim, &value)?,
            "X-Amz-SignedHeaders" => claim.signed_headers = value,
            "X-Amz-Signature" => claim.signature = value,
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
    }
    if claim.expires_s.is_none() {
        return Err(incomplete("it has no X-Amz-Expires"));
    }
    check_whole(claim)
}

fn set_credential(claim: &mut Claim, credential: &str) -> Result<(), Error> {
    let (id, scope) = credential
        .split_once('/')
        .ok_or_else(|| incomplete("its credential has no scope"))?;
    id.clone_into(&mut claim.access_key_id);
    scope.clone_into(&mut claim.scope);
    Ok(())
}

fn check_whole(claim: Claim) -> Result<Claim, Error> {
    let is_whole = !claim.access_key_id.is_empty() && !claim.signature.is_empty();
    let signs_host = claim.signed_headers.split(';').any(|name| name == "host");
    if is_whole && signs_host {
        Ok(claim)
    } else {
        Err(incomplete(
            "credential, signature or the signed header host is missing",
        ))
    }
}

fn check_instant(claim: &Claim, now: Timestamp) -> Result<(), Error> {
    let instant_s =
        parse_instant_s(&claim.instant).ok_or_else(|| incomplete("its date can't be read"))?;
    let signed = Timestamp(0).plus_ms(instant_s * 1000);
    let life_ms = claim
        .expires_s
        .map_or(SIGNATURE_SKEW_MS_MAX, |expires_s| expires_s * 1000);
    if now.since_ms(signed) > life_ms {
        return Err(mismatch("Signature expired: it is too old."));
    }
    if signed.since_ms(now) > SIGNATURE_SKEW_MS_MAX {
        return Err(mismatch(
            "Signature not yet current: it is from the future.",
        ));
    }
    Ok(())
}

fn expected_signature(
    settings: &Settings,
    claim: &Claim,
    head: &Parts,
    body: &[u8],
) -> Result<String, Error> {
    let scope: Vec<&str> = claim.scope.split('/').collect();
    let &[day, region, service, "aws4_request"] = scope.as_slice() else {
        return Err(incomplete("the scope of its credential can't be read"));
    };
    let instant_s = parse_instant_s(&claim.instant).filter(|_| claim.instant.starts_with(day));
    let instant_s = instant_s.ok_or_else(|| incomplete("its date isn't that of its scope"))?;
    let request = CanonicalRequest {
        head,
        body,
        signed_headers: &claim.signed_headers,
    };
    let to_sign = format!(
        "{ALGORITHM}\n{}\n{}\n{}",
        claim.instant,
        claim.scope,
        request.digest()?
    );
    // An unknown id is compared with too, with a secret that nobody has signed with.
    let secret = settings
        .credentials
        .iter()
        .find(|key| key.access_key_id.as_str() == claim.access_key_id)
        .map_or("", |key| key.secret_access_key.expose());
    let instant = UNIX_EPOCH + Duration::from_secs(instant_s);
    let key = generate_signing_key(secret, instant, region, service);
    Ok(calculate_signature(key, to_sign.as_bytes()))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn incomplete(reason: &str) -> Error {
    let message = format!("The request's signature is incomplete: {reason}.");
    Error::new(ErrorKind::IncompleteSignature, message)
}

fn mismatch(message: &str) -> Error {
    Error::new(ErrorKind::SignatureDoesNotMatch, message)
}

#[cfg(test)]
mod tests;
