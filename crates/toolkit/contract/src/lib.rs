//! The contract that every transport keeps, as tests. For tests only.
//!
//! A transport's test names its [`Subject`], and gets one test a claim:
//!
//! ```text
//! async fn subject() -> MySubject { … }
//! stele_toolkit_contract::transport_contract!(subject);
//! ```
//!
//! What a transport can't do by its [`stele_toolkit_bus::Caps`], it must refuse: the claims check
//! that instead.

mod broker;
mod claims;
mod program;
mod subject;
mod taking;

pub use broker::{Broker, Protocol, Stele};
pub use claims::*;
pub use program::{cargo, program};
pub use subject::{Names, Subject};

/// Makes a test of each claim. `$subject` is an async function that returns a new [`Subject`].
///
/// With a list of claims behind a colon, only those.
#[macro_export]
macro_rules! transport_contract {
    ($subject:path) => {
        $crate::transport_contract! { $subject:
            bodies_arrive_byte_for_byte,
            headers_key_type_and_id_arrive,
            the_largest_body_arrives_and_a_larger_one_is_refused,
            messages_of_a_key_come_in_order,
            what_follows_a_failure_of_its_key_fails_too,
            each_service_gets_a_copy,
            consumers_of_a_queue_share_its_messages,
            processes_of_a_service_share_its_copies,
            what_is_sent_before_the_first_consumer_waits_for_it,
            a_new_group_reads_what_was_there_before_or_not,
            an_acknowledged_message_does_not_come_again,
            an_unsettled_message_comes_again_after_a_crash,
            a_released_message_comes_again_no_earlier_than_told,
            a_kept_message_comes_again_and_counts_once,
            waiting_messages_let_others_through,
            a_release_holds_up_what_it_says,
            a_release_beyond_the_longest_is_refused,
            no_more_is_handed_out_than_the_prefetch,
            a_paused_subscription_takes_nothing_until_it_resumes,
            pauses_do_not_add_up_what_is_taken,
            draining_hands_back_what_was_not_handed_out,
            a_queue_that_does_not_exist_is_told,
            a_topic_without_subscribers_takes_messages,
            declaring_again_changes_nothing,
            the_depth_is_what_waits,
            a_standby_takes_over_from_the_active_one,
            a_delayed_message_comes_no_earlier_than_told,
            no_confirmed_message_is_lost_when_the_broker_crashes,
        }
    };
    ($subject:path: $($claim:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $claim() {
                let subject = $subject().await;
                $crate::$claim(&subject).await;
            }
        )+
    };
}
