//! The books in PostgreSQL: tables, the function, and the check that nothing was lost.

use super::cluster::Cluster;
use crate::peers::load::{Payer, Payment};
use anyhow::{Context, Result, ensure};
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

/// A connection, and what it has prepared.
pub(super) struct Connection {
    client: Client,
    way: Way,
    pay: Statement,
    record: Statement,
    debit: Statement,
    credit: Statement,
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

/// What the payments' rows say that was paid, minor units; the wallets must have lost as much.
pub(super) async fn recorded(client: &Client, wallets: u32) -> Result<u64> {
    let debited = format!(
        "SELECT ({FUNDS} * {wallets}::numeric - sum(balance))::bigint FROM accounts WHERE id > 0"
    );
    let debited: i64 = client.query_one(&debited, &[]).await?.try_get(0)?;
    let recorded = "SELECT coalesce(sum(amount), 0)::bigint FROM payments";
    let recorded: i64 = client.query_one(recorded, &[]).await?.try_get(0)?;
    ensure!(
        debited == recorded,
        "PostgreSQL's books are wrong: {debited} debited, {recorded} recorded"
    );
    Ok(u64::try_from(recorded)?)
}

impl Payer for Connection {
    async fn pay(&mut self, payment: Payment<'_>) -> Result<bool> {
        let paid = match self.way {
            Way::Function => self.by_function(payment).await,
            Way::Statements => self.by_statements(payment).await,
        };
        Ok(paid?)
    }
}

impl Connection {
    pub(super) async fn to(cluster: &Cluster, way: Way) -> Result<Connection> {
        let client = cluster.client().await?;
        Ok(Connection {
            way,
            pay: client.prepare(PAY).await?,
            record: client.prepare(RECORD).await?,
            debit: client.prepare(DEBIT).await?,
            credit: client.prepare(CREDIT).await?,
            client,
        })
    }

    async fn by_function(&self, payment: Payment<'_>) -> Result<bool, tokio_postgres::Error> {
        let Payment {
            key,
            wallet,
            amount,
        } = payment;
        let row = self
            .client
            .query_one(&self.pay, &[&key, &wallet, &-wallet, &amount])
            .await?;
        row.try_get(0)
    }

    async fn by_statements(&self, payment: Payment<'_>) -> Result<bool, tokio_postgres::Error> {
        let Payment {
            key,
            wallet,
            amount,
        } = payment;
        self.client.batch_execute("BEGIN").await?;
        let recorded = self
            .client
            .execute(&self.record, &[&key, &wallet, &-wallet, &amount])
            .await?;
        if recorded == 0 {
            self.client.batch_execute("ROLLBACK").await?;
            return Ok(true);
        }
        if self
            .client
            .execute(&self.debit, &[&wallet, &amount])
            .await?
            == 0
        {
            self.client.batch_execute("ROLLBACK").await?;
            return Ok(false);
        }
        self.client
            .execute(&self.credit, &[&-wallet, &amount])
            .await?;
        self.client.batch_execute("COMMIT").await?;
        Ok(true)
    }
}
