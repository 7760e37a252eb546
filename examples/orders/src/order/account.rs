//! A bank account whose balance is the sum of what happened to it.

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::{Message, Timestamp};
use stele_toolkit_es::{Aggregate, events};

use crate::money::Cents;

/// An account was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "account.events", key = account_id)]
pub(super) struct AccountCreated {
    pub(super) account_id: String,
}

/// Money came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "account.events", key = account_id)]
pub(super) struct Deposited {
    pub(super) account_id: String,
    pub(super) amount: Cents,
}

/// Money went out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "account.events", key = account_id)]
pub(super) struct Withdrawn {
    pub(super) account_id: String,
    pub(super) amount: Cents,
}

events! {
    /// What happens to an account.
    #[derive(Clone, Debug, PartialEq)]
    pub(super) enum AccountEvent { AccountCreated, Deposited, Withdrawn }
}

/// What an account is asked to do.
#[derive(Clone, Debug)]
pub(super) enum AccountAction {
    Create,
    Deposit(Cents),
    Withdraw(Cents),
}

/// An action with the account that it is for.
#[derive(Clone, Debug)]
pub(super) struct AccountCommand {
    pub(super) account_id: String,
    pub(super) action: AccountAction,
}

/// Why an account refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AccountRefusal {
    #[error("the account exists already")]
    Exists,
    #[error("there is no such account")]
    Unknown,
    #[error("{0} isn't an amount to pay")]
    Amount(Cents),
    #[error("the balance is {balance}, less than {wanted}")]
    Overdraft { balance: Cents, wanted: Cents },
    #[error("the balance would be too large")]
    TooLarge,
}

/// A bank account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BankAccount {
    pub(super) is_open: bool,
    pub(super) balance: Cents,
}

impl Aggregate for BankAccount {
    const NAME: &'static str = "BankAccount";
    type Command = AccountCommand;
    type Event = AccountEvent;
    type Error = AccountRefusal;

    fn decide(
        &self,
        command: &AccountCommand,
        _now: Timestamp,
    ) -> Result<Vec<AccountEvent>, AccountRefusal> {
        let account_id = command.account_id.clone();
        let event = match command.action {
            AccountAction::Create if self.is_open => return Err(AccountRefusal::Exists),
            AccountAction::Create => AccountCreated { account_id }.into(),
            _ if !self.is_open => return Err(AccountRefusal::Unknown),
            AccountAction::Deposit(amount) | AccountAction::Withdraw(amount) if amount.0 <= 0 => {
                return Err(AccountRefusal::Amount(amount));
            }
            AccountAction::Deposit(amount) => {
                let sum = self.balance.plus(amount);
                sum.ok_or(AccountRefusal::TooLarge)?;
                Deposited { account_id, amount }.into()
            }
            AccountAction::Withdraw(wanted) if wanted > self.balance => {
                let balance = self.balance;
                return Err(AccountRefusal::Overdraft { balance, wanted });
            }
            AccountAction::Withdraw(amount) => Withdrawn { account_id, amount }.into(),
        };
        Ok(vec![event])
    }

    fn evolve(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::AccountCreated(_) => self.is_open = true,
            AccountEvent::Deposited(event) => self.balance.0 += event.amount.0,
            AccountEvent::Withdrawn(event) => self.balance.0 -= event.amount.0,
        }
    }
}
