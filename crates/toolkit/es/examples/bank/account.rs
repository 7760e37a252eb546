//! A bank account whose balance is the sum of what happened to it.

use std::fmt;

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::{Message, Timestamp};
use stele_toolkit_es::{Aggregate, Snapshot, events};

/// An amount of money in cents. Shown as `500.00`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Cents(pub i64);

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        f.pad(&format!("{sign}{}.{:02}", cents / 100, cents % 100))
    }
}

/// An account was opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "account.events", key = account_id)]
pub(crate) struct AccountCreated {
    pub(crate) account_id: String,
}

/// Money came in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "account.events", key = account_id)]
pub(crate) struct Deposited {
    pub(crate) account_id: String,
    pub(crate) amount: Cents,
}

/// Money went out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "account.events", key = account_id)]
pub(crate) struct Withdrawn {
    pub(crate) account_id: String,
    pub(crate) amount: Cents,
}

events! {
    /// What happens to an account.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) enum AccountEvent { AccountCreated, Deposited, Withdrawn }
}

/// What an account is asked to do.
#[derive(Clone, Debug)]
pub(crate) enum AccountCommand {
    Create { account_id: String },
    Deposit(Cents),
    Withdraw(Cents),
}

/// Why an account refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AccountError {
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BankAccount {
    account_id: Option<String>,
    balance: Cents,
}

impl BankAccount {
    /// The sum of deposits less that of withdrawals.
    pub(crate) fn balance(&self) -> Cents {
        self.balance
    }

    fn deposit(&self, account_id: String, amount: Cents) -> Result<AccountEvent, AccountError> {
        let sum = self.balance.0.checked_add(amount.0);
        sum.ok_or(AccountError::TooLarge)?;
        Ok(Deposited { account_id, amount }.into())
    }

    fn withdraw(&self, account_id: String, amount: Cents) -> Result<AccountEvent, AccountError> {
        if self.balance < amount {
            let (balance, wanted) = (self.balance, amount);
            return Err(AccountError::Overdraft { balance, wanted });
        }
        Ok(Withdrawn { account_id, amount }.into())
    }
}

impl Aggregate for BankAccount {
    const NAME: &'static str = "BankAccount";
    type Command = AccountCommand;
    type Event = AccountEvent;
    type Error = AccountError;

    fn decide(
        &self,
        command: &AccountCommand,
        _now: Timestamp,
    ) -> Result<Vec<AccountEvent>, AccountError> {
        let event = match (command, self.account_id.clone()) {
            (AccountCommand::Create { .. }, Some(_)) => return Err(AccountError::Exists),
            (AccountCommand::Create { account_id }, None) => AccountCreated {
                account_id: account_id.clone(),
            }
            .into(),
            (_, None) => return Err(AccountError::Unknown),
            (AccountCommand::Deposit(amount) | AccountCommand::Withdraw(amount), _)
                if amount.0 <= 0 =>
            {
                return Err(AccountError::Amount(*amount));
            }
            (AccountCommand::Deposit(amount), Some(id)) => self.deposit(id, *amount)?,
            (AccountCommand::Withdraw(amount), Some(id)) => self.withdraw(id, *amount)?,
        };
        Ok(vec![event])
    }

    fn evolve(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::AccountCreated(event) => {
                self.account_id = Some(event.account_id.clone());
            }
            AccountEvent::Deposited(event) => self.balance.0 += event.amount.0,
            AccountEvent::Withdrawn(event) => self.balance.0 -= event.amount.0,
        }
    }
}

impl Snapshot for BankAccount {
    const CODE_VERSION: u32 = 1;
}
