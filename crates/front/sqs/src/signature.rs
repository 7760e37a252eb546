//! Signature Version 4: authenticates the sender of a request, if required.
//!
//! The client signs a digest of the request with a key derived from its secret, the day, the region
//! and the service. The server computes the same signature and compares it in constant time. The
//! signature is in the header `Authorization`, or in the query string of a presigned request.
//! Nothing in the request is trusted before the check.
//!
//! Reference: <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>

mod canonical;
mod claim;
mod instant;

use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use hyper::http::request::Parts;
use stele_base_types::{Login, Proof, Timestamp};
use stele_wire_sqs::{Error, ErrorKind};
use subtle::ConstantTimeEq as _;

use self::{
    canonical::CanonicalRequest,
    claim::{ALGORITHM, Claim},
    instant::parse_instant_s,
};
use crate::{Credential, Settings, limits::SIGNATURE_SKEW_MS_MAX};

/// The service in a credential's scope: a signature for another service with the same key is not
/// accepted.
const SERVICE: &str = "sqs";

/// Checks what can be checked before the body has arrived: whether the request claims to be signed
/// with a known key, and recently.
pub(crate) fn check_claim(settings: &Settings, head: &Parts, now: Timestamp) -> Result<(), Error> {
    let claim = Claim::of(head)?;
    check_instant(&claim, now)?;
    credential(settings, &claim).map_or_else(|| Err(unknown()), |_| Ok(()))
}

/// The principal whose access key signed the request; `None` if no signature is required.
pub(crate) fn authenticate(
    settings: &Settings,
    head: &Parts,
    body: &[u8],
    now: Timestamp,
) -> Result<Option<Login>, Error> {
    if settings.credentials.is_empty() {
        return Ok(None);
    }
    let claim = Claim::of(head)?;
    check_instant(&claim, now)?;
    let expected = expected_signature(settings, &claim, head, body)?;
    let same = bool::from(expected.as_bytes().ct_eq(claim.signature.as_bytes()));
    let known = credential(settings, &claim).ok_or_else(unknown)?;
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

/// The access key that a request names, if it can be read. It is not verified.
pub(crate) fn claimed_user(head: &Parts) -> Option<String> {
    Claim::of(head).ok().map(|claim| claim.access_key_id)
}

fn credential<'a>(settings: &'a Settings, claim: &Claim) -> Option<&'a Credential> {
    let mut keys = settings.credentials.iter();
    keys.find(|key| key.access_key_id.as_str() == claim.access_key_id)
}

fn unknown() -> Error {
    Error::new(
        ErrorKind::UnknownAccessKey,
        "The security token included in the request is invalid.",
    )
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
    if service != SERVICE {
        return Err(mismatch(
            "Credential should be scoped to correct service: 'sqs'.",
        ));
    }
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
    // For an unknown id too, a signature is computed and compared, with a secret that nobody signs
    // with.
    let secret = credential(settings, claim).map_or("", |key| key.secret_access_key.expose());
    let instant = UNIX_EPOCH + Duration::from_secs(instant_s);
    let key = generate_signing_key(secret, instant, region, service);
    Ok(calculate_signature(key, to_sign.as_bytes()))
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
