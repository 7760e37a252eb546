//! The names of the actions.

use std::fmt;

macro_rules! action_names {
    (
        [$($answering:ident($answering_module:ident)),+ $(,)?]
        [$($empty:ident($empty_module:ident)),+ $(,)?]
        [$($not_offered:ident),+ $(,)?]
    ) => {
        action_names!($($answering),+, $($empty),+, $($not_offered),+);
    };
    ($($name:ident),+) => {
        /// An SQS action (API version 2012-11-05).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the variants are the names of AWS's reference")]
        pub enum Action { $($name),+ }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name, as in `Action=` and after `AmazonSQS.`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

crate::each_action!(action_names);

impl Action {
    /// The action with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.name() == name)
    }

    /// The action in an `X-Amz-Target` header, such as `AmazonSQS.SendMessage`.
    pub fn from_target(target: &str) -> Option<Self> {
        Self::from_name(target.strip_prefix("AmazonSQS.")?)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_action() {
        for action in Action::ALL {
            assert_eq!(Action::from_name(action.name()), Some(*action));
            assert_eq!(
                Action::from_target(&format!("AmazonSQS.{action}")),
                Some(*action)
            );
        }
        assert_eq!(Action::from_target("SendMessage"), None);
        assert_eq!(Action::from_name("sendmessage"), None);
    }
}
