//! Receipt handles. They are opaque to clients and contain everything that is needed to settle a
//! message.
//!
//! ```text
//!  0         1         9          13         21         29           33                49
//!  ┌─────────┬─────────┬──────────┬──────────┬──────────┬────────────┬─────────────────┐
//!  │ version │ log     │partition │ offset   │ lease    │ deliveries │ tag             │   base64
//!  └─────────┴─────────┴──────────┴──────────┴──────────┴────────────┴─────────────────┘
//!  integers big-endian; tag: SHA-256 of the queue's secret and what is before it, 16 bytes
//! ```
//!
//! The first version has no deliveries. Its handles are still accepted.
//!
//! The secret is a setting of the queue's log, so handles survive a restart. A handle that this
//! queue didn't issue (guessed, truncated, of another or a deleted queue) settles nothing. The
//! version determines the length of both hashed parts, so the tag isn't open to length extension.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use sha2::{Digest as _, Sha256};
use stele_base_types::{LogId, Offset, PartitionIndex};
use stele_core_engine::LeaseId;
use stele_wire_sqs::{Error, ErrorKind};
use subtle::ConstantTimeEq as _;

/// The secret of a queue's receipt handles.
pub(crate) type Secret = [u8; 16];

const VERSION: u8 = 2;
const CONTENT_LENGTH: usize = 33;
const TAG_LENGTH: usize = 16;
/// A handle of 49 bytes has 66 characters; longer text is refused before decoding.
const TEXT_LENGTH: usize = 66;

/// The version without deliveries.
const FIRST_VERSION: u8 = 1;
const FIRST_CONTENT_LENGTH: usize = 29;

/// The content of a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) log: LogId,
    pub(crate) partition: PartitionIndex,
    pub(crate) offset: Offset,
    pub(crate) lease: LeaseId,
    /// The number of deliveries of the message, including this lease.
    pub(crate) deliveries: Option<u32>,
}

impl Receipt {
    /// Encodes the handle.
    pub(crate) fn seal(&self, secret: &Secret) -> String {
        let mut bytes = [0; CONTENT_LENGTH + TAG_LENGTH];
        bytes[0] = VERSION;
        bytes[1..9].copy_from_slice(&self.log.0.to_be_bytes());
        bytes[9..13].copy_from_slice(&self.partition.0.to_be_bytes());
        bytes[13..21].copy_from_slice(&self.offset.0.to_be_bytes());
        bytes[21..29].copy_from_slice(&self.lease.0.to_be_bytes());
        let deliveries = self.deliveries.unwrap_or_default();
        bytes[29..33].copy_from_slice(&deliveries.to_be_bytes());
        let tag = tag(secret, &bytes[..CONTENT_LENGTH]);
        bytes[CONTENT_LENGTH..].copy_from_slice(&tag);
        BASE64.encode(bytes)
    }

    /// Decodes the handle, if the queue `log` with this secret issued it.
    pub(crate) fn open(handle: &str, secret: &Secret, log: LogId) -> Result<Self, Error> {
        Self::parse(handle, secret)
            .filter(|receipt| receipt.log == log)
            .ok_or_else(|| invalid(handle))
    }

    fn parse(handle: &str, secret: &Secret) -> Option<Self> {
        if handle.len() > TEXT_LENGTH {
            return None;
        }
        let bytes = BASE64.decode(handle).ok()?;
        let length = match *bytes.first()? {
            VERSION => CONTENT_LENGTH,
            FIRST_VERSION => FIRST_CONTENT_LENGTH,
            _ => return None,
        };
        let (content, found) = bytes.split_at_checked(length)?;
        let genuine = bool::from(tag(secret, content).ct_eq(found));
        if !genuine {
            return None;
        }
        let int = |at: usize| {
            Some(u32::from_be_bytes(
                content.get(at..at + 4)?.try_into().ok()?,
            ))
        };
        let long = |at: usize| {
            Some(u64::from_be_bytes(
                content.get(at..at + 8)?.try_into().ok()?,
            ))
        };
        Some(Self {
            log: LogId(long(1)?),
            partition: PartitionIndex(int(9)?),
            offset: Offset(long(13)?),
            lease: LeaseId(long(21)?),
            deliveries: int(29),
        })
    }
}

fn tag(secret: &Secret, content: &[u8]) -> [u8; TAG_LENGTH] {
    let digest = Sha256::new()
        .chain_update(secret)
        .chain_update(content)
        .finalize();
    let mut tag = [0; TAG_LENGTH];
    tag.copy_from_slice(&digest[..TAG_LENGTH]);
    tag
}

fn invalid(handle: &str) -> Error {
    Error::new(
        ErrorKind::ReceiptHandleIsInvalid,
        format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: Secret = [7; 16];

    fn receipt(log: u64, partition: u32, offset: u64, lease: u64) -> Receipt {
        Receipt {
            log: LogId(log),
            partition: PartitionIndex(partition),
            offset: Offset(offset),
            lease: LeaseId(lease),
            deliveries: Some(7),
        }
    }

    #[test]
    fn a_handle_of_the_first_version_is_taken() {
        let handle = "AQAAAAAAAAABAAAAAgAAAAAAAAADAAAAAAAAAATjUmiH14cdF93waowqAagq";
        let first = Receipt {
            deliveries: None,
            ..receipt(1, 2, 3, 4)
        };
        assert_eq!(Receipt::open(handle, &SECRET, LogId(1)), Ok(first));
    }

    #[test]
    fn a_handle_is_of_one_queue_and_one_secret() {
        let handle = receipt(1, 2, 3, 4).seal(&SECRET);
        assert_eq!(
            Receipt::open(&handle, &SECRET, LogId(1)),
            Ok(receipt(1, 2, 3, 4))
        );
        assert!(Receipt::open(&handle, &SECRET, LogId(2)).is_err());
        assert!(Receipt::open(&handle, &[8; 16], LogId(1)).is_err());
    }

    proptest! {
        #[test]
        fn handles_survive(log: u64, partition: u32, offset: u64, lease: u64, secret: Secret) {
            let receipt = receipt(log, partition, offset, lease);
            let handle = receipt.seal(&secret);
            prop_assert_eq!(Receipt::open(&handle, &secret, LogId(log)), Ok(receipt));
        }

        #[test]
        fn a_changed_handle_is_refused(at in 0..TEXT_LENGTH, by in 1..64u8) {
            const ALPHABET: &[u8; 64] =
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let mut handle = receipt(1, 0, 3, 4).seal(&SECRET).into_bytes();
            let position = ALPHABET.iter().position(|byte| *byte == handle[at]).unwrap();
            handle[at] = ALPHABET[(position + usize::from(by)) % 64];
            let handle = String::from_utf8(handle).unwrap();
            prop_assert!(Receipt::open(&handle, &SECRET, LogId(1)).is_err());
        }

        #[test]
        fn any_text_is_answered(handle: String) {
            let _ = Receipt::open(&handle, &SECRET, LogId(1));
        }
    }
}
