//! The books in PostgreSQL: tables, the function, and the check that nothing was lost.

use super::cluster::Cluster;
use anyhow::{Context, Result};
use tokio_postgres::{Client, Statement};

/// Rows leave room on their pages, so that an update does not touch the index.
const TABLES: &str = "
DROP TABLE IF EXISTS payments, accounts;
CREATE TABLE accounts (
    id bigint PRIMARY KEY,
    balance bigint NOT NULL,
    floor bigint NOT NULL,
    CHECK (balance >= floor)
) WITH (fillfactor = 50);
CREATE TABLE payments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE,
    source bigint NOT NULL,
    destination bigint NOT NULL,
    amount bigint NOT NULL,
    created timestamptz NOT NULL DEFAULT now()
);
CREATE OR REPLACE FUNCTION pay(k text, s bigint, d bigint, a bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO payments (key, source, destination, amount) VALUES (k, s, d, a)
        ON CONFLICT (key) DO NOTHING;
    IF NOT FOUND THEN
        RETURN true;
    END IF;
    UPDATE accounts SET balance = balance - a WHERE id = s AND balance - a >= floor;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'insufficient funds';
    END IF;
    UPDATE accounts SET balance = balance + a WHERE id = d;
    RETURN true;
END $$;
";

const PAY: &str = "SELECT pay($1, $2, $3, $4)";
const RECORD: &str = "INSERT INTO payments (key, source, destination, amount) \
    VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO NOTHING";
const DEBIT: &str =
    "UPDATE accounts SET balance = balance - $2 WHERE id = $1 AND balance - $2 >= floor";
const CREDIT: &str = "UPDATE accounts SET balance = balance + $2 WHERE id = $1";

/// What each wallet holds at the start.
const FUNDS: i64 = 9_000_000_000_000;

/// How a payment is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// One function call: one round trip.
    Function,
    /// BEGIN, three statements, COMMIT.
    Statements,
}

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Way::Function => "peers postgres function",
            Way::Statements => "peers postgres statements",
        }
    }
}

/// What a connection has prepared.
pub(super) struct Prepared {
    pay: Statement,
    record: Statement,
    debit: Statement,
    credit: Statement,
}

/// One payment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payment<'a> {
    pub(super) key: &'a str,
    pub(super) wallet: i64,
    pub(super) amount: i64,
}

/// Makes the books: so many wallets with money, and an account of a merchant for each.
pub(super) async fn prepare(cluster: &Cluster, wallets: u32) -> Result<()> {
    let client = cluster.client().await?;
    client.batch_execute(TABLES).await.context("the tables")?;
    let accounts = format!(
        "INSERT INTO accounts SELECT n, {FUNDS}, 0 FROM generate_series(1, {wallets}) n;
         INSERT INTO accounts SELECT -n, 0, 0 FROM generate_series(1, {wallets}) n;
         VACUUM ANALYZE accounts;"
    );
    for statement in accounts.split_inclusive(';') {
        client
            .batch_execute(statement)
            .await
            .context("the accounts")?;
    }
    Ok(())
}

/// What left the wallets: the sum, and what the payments' rows say.
pub(super) async fn moved(client: &Client, wallets: u32) -> Result<(i64, i64)> {
    let debited = format!(
        "SELECT ({FUNDS} * {wallets}::numeric - sum(balance))::bigint FROM accounts WHERE id > 0"
    );
    let debited = client.query_one(&debited, &[]).await?.try_get(0)?;
    let recorded = "SELECT coalesce(sum(amount), 0)::bigint FROM payments";
    let recorded = client.query_one(recorded, &[]).await?.try_get(0)?;
    Ok((debited, recorded))
}

impl Prepared {
    pub(super) async fn on(client: &Client) -> Result<Prepared> {
        let prepare = |text| client.prepare(text);
        Ok(Prepared {
            pay: prepare(PAY).await?,
            record: prepare(RECORD).await?,
            debit: prepare(DEBIT).await?,
            credit: prepare(CREDIT).await?,
        })
    }

    /// Makes a payment; says whether the wallet had the money.
    pub(super) async fn pay(
        &self,
        client: &Client,
        way: Way,
        payment: Payment<'_>,
    ) -> Result<bool, tokio_postgres::Error> {
        match way {
            Way::Function => self.by_function(client, payment).await,
            Way::Statements => self.by_statements(client, payment).await,
        }
    }

    async fn by_function(
        &self,
        client: &Client,
        payment: Payment<'_>,
    ) -> Result<bool, tokio_postgres::Error> {
        let Payment {
            key,
            wallet,
            amount,
        } = payment;
        let row = client
            .query_one(&self.pay, &[&key, &wallet, &-wallet, &amount])
            .await?;
        row.try_get(0)
    }

    async fn by_statements(
        &self,
        client: &Client,
        payment: Payment<'_>,
    ) -> Result<bool, tokio_postgres::Error> {
        let Payment {
            key,
            wallet,
            amount,
        } = payment;
        client.batch_execute("BEGIN").await?;
        let recorded = client
            .execute(&self.record, &[&key, &wallet, &-wallet, &amount])
            .await?;
        if recorded == 0 {
            client.batch_execute("ROLLBACK").await?;
            return Ok(true);
        }
        if client.execute(&self.debit, &[&wallet, &amount]).await? == 0 {
            client.batch_execute("ROLLBACK").await?;
            return Ok(false);
        }
        client.execute(&self.credit, &[&-wallet, &amount]).await?;
        client.batch_execute("COMMIT").await?;
        Ok(true)
    }
}
