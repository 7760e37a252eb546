//! A bank account, event by event: its balance, its past, and who did what.
//!
//! ```sh
//! cargo run -p stele-toolkit-es --example bank
//! ```

#![expect(clippy::print_stdout, reason = "this program shows something")]

use std::{error::Error, sync::Arc};

use stele_toolkit_envelope::{Context, Timestamp};
use stele_toolkit_es::{MemoryStore, Repository, Until};

mod account;

use account::{AccountCommand, BankAccount, Cents};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let accounts = Repository::<BankAccount, _>::new(Arc::new(MemoryStore::new()));
    let teller = Context::new("bank").with_user_id("teller-7");
    let id = "12345";
    let create = AccountCommand::Create {
        account_id: id.to_owned(),
    };
    accounts.execute(id, &create, &teller).await?;
    for command in [
        AccountCommand::Deposit(Cents(100_000)),
        AccountCommand::Withdraw(Cents(30_000)),
        AccountCommand::Deposit(Cents(20_000)),
        AccountCommand::Withdraw(Cents(40_000)),
    ] {
        accounts.execute(id, &command, &teller).await?;
    }

    let show = |recorded: &stele_toolkit_es::Recorded, account: &BankAccount| {
        let event = &recorded.event;
        let who = event.metadata.user_id.as_deref().unwrap_or("nobody");
        let (version, kind, time) = (recorded.version, &event.message_type, recorded.time);
        let balance = account.balance();
        println!("{version}  {kind:<15} {balance:>8}  by {who} at {time}");
    };
    let now = accounts.replay(id, Until::Latest, show).await?;
    println!("balance now: {}", now.state.balance());

    let then = accounts.load_until(id, Until::Version(3)).await?;
    println!("after three events: {}", then.state.balance());
    let before = accounts
        .load_until(id, Until::Time(Timestamp::UNIX_EPOCH))
        .await?;
    println!("events until 1970: {}", before.version);

    let overdraft = AccountCommand::Withdraw(Cents(50_001));
    match accounts.execute(id, &overdraft, &teller).await {
        Err(refused) => println!("withdraw 500.01: {refused}"),
        Ok(_) => return Err("the overdraft was allowed".into()),
    }
    Ok(())
}
