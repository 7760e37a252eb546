//! Bank accounts.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use stele_toolkit_es::ExecuteError;

use super::{Moment, context};
use crate::{
    money::Cents,
    order::{
        account::{AccountAction, AccountCommand, AccountRefusal},
        orders::Orders,
    },
    problem::Problem,
};

/// An account, as it is or was.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountView {
    account_id: String,
    /// `500.00`.
    balance: String,
    balance_cents: Cents,
    /// How many events it has.
    version: u64,
}

/// The body of a deposit or a withdrawal.
#[derive(Debug, Deserialize)]
pub(super) struct Amount {
    /// In cents.
    amount: Cents,
}

/// `POST /accounts/{id}`.
pub(super) async fn open(
    State(orders): State<Orders>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<AccountView>), Problem> {
    let opened = execute(&orders, id, AccountAction::Create, &headers).await?;
    Ok((StatusCode::CREATED, opened))
}

/// `POST /accounts/{id}/deposit`.
pub(super) async fn deposit(
    State(orders): State<Orders>,
    Path(id): Path<String>,
    headers: HeaderMap,
    amount: Result<Json<Amount>, JsonRejection>,
) -> Result<Json<AccountView>, Problem> {
    let Json(Amount { amount }) = amount?;
    execute(&orders, id, AccountAction::Deposit(amount), &headers).await
}

/// `POST /accounts/{id}/withdraw`.
pub(super) async fn withdraw(
    State(orders): State<Orders>,
    Path(id): Path<String>,
    headers: HeaderMap,
    amount: Result<Json<Amount>, JsonRejection>,
) -> Result<Json<AccountView>, Problem> {
    let Json(Amount { amount }) = amount?;
    execute(&orders, id, AccountAction::Withdraw(amount), &headers).await
}

async fn execute(
    orders: &Orders,
    account_id: String,
    action: AccountAction,
    headers: &HeaderMap,
) -> Result<Json<AccountView>, Problem> {
    let context = context(headers);
    let command = AccountCommand {
        account_id: account_id.clone(),
        action,
    };
    let executed = orders
        .accounts
        .execute(&account_id, &command, &context)
        .await;
    let executed = executed.map_err(problem)?;
    Ok(Json(AccountView {
        account_id,
        balance: executed.state.balance.to_string(),
        balance_cents: executed.state.balance,
        version: executed.version,
    }))
}

fn problem(error: ExecuteError<AccountRefusal>) -> Problem {
    match error {
        ExecuteError::Refused(AccountRefusal::Unknown) => Problem::not_found(error),
        ExecuteError::Refused(AccountRefusal::Amount(_)) => Problem::invalid(error),
        ExecuteError::Refused(_) => Problem::conflict(error),
        ExecuteError::Load(error) => error.into(),
        ExecuteError::Append(_) => Problem::unavailable(error),
        ExecuteError::Encode(_) => Problem::fault(error),
    }
}

/// `GET /accounts/{id}`.
pub(super) async fn show(
    State(orders): State<Orders>,
    Path(id): Path<String>,
    Query(moment): Query<Moment>,
) -> Result<Json<AccountView>, Problem> {
    let loaded = orders.accounts.load_until(&id, moment.until()?).await?;
    if !loaded.state.is_open {
        return Err(Problem::not_found(id));
    }
    Ok(Json(AccountView {
        account_id: id,
        balance: loaded.state.balance.to_string(),
        balance_cents: loaded.state.balance,
        version: loaded.version,
    }))
}
