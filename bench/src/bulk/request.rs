//! What is asked for: batches of transfers, written as cheaply as can be, for whatever the
//! generator takes the system under load has not.

use super::book::Book;
use crate::cli::Format;
use crate::partners::CURRENCY;
use crate::skew::Random;
use florin_api::proto::CONTENT_TYPE;

/// A transfer between two accounts of a book, by their places in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Debited.
    pub from: usize,
    /// Credited.
    pub to: usize,
    /// Minor units.
    pub amount: u64,
}

/// Draws a batch: any two accounts, small amounts.
pub fn draw(batch: &mut Vec<Transfer>, transfers: usize, accounts: usize, random: &mut Random) {
    assert!(accounts > 1, "a transfer needs two accounts");
    batch.clear();
    batch.extend((0..transfers).map(|_| {
        let from = (random.draw() % accounts as u64) as usize;
        let step = 1 + (random.draw() % (accounts as u64 - 1)) as usize;
        Transfer {
            from,
            to: (from + step) % accounts,
            amount: random.between(1, 100),
        }
    }));
}

/// Writes batches into a buffer of its own.
#[derive(Debug)]
pub struct Writer {
    format: Format,
    bytes: Vec<u8>,
}

impl Writer {
    /// In this format.
    pub fn new(format: Format) -> Writer {
        Writer {
            format,
            bytes: Vec::new(),
        }
    }

    /// What the last batch was written as.
    pub fn content_type(&self) -> &'static str {
        match self.format {
            Format::Json => "application/json",
            Format::Binary => CONTENT_TYPE,
        }
    }

    /// The last batch.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes a batch of which each transfer stands for itself.
    pub fn write(&mut self, book: &Book, batch: &[Transfer]) {
        self.bytes.clear();
        match self.format {
            Format::Json => json(&mut self.bytes, book, batch),
            Format::Binary => binary(&mut self.bytes, book, batch),
        }
    }
}

fn json(to: &mut Vec<u8>, book: &Book, batch: &[Transfer]) {
    let mut put = |parts: &[&str]| {
        parts
            .iter()
            .for_each(|part| to.extend_from_slice(part.as_bytes()));
    };
    put(&[r#"{"atomic":false,"transfers":["#]);
    for (at, transfer) in batch.iter().enumerate() {
        let amount = transfer.amount.to_string();
        let comma = if at == 0 { "" } else { "," };
        put(&[
            comma,
            r#"{"debit_account":""#,
            &book.accounts[transfer.from].text,
        ]);
        put(&[r#"","credit_account":""#, &book.accounts[transfer.to].text]);
        put(&[
            r#"","amount":"#,
            &amount,
            r#","currency":""#,
            CURRENCY,
            r#""}"#,
        ]);
    }
    put(&["]}"]);
}

/// The message `CreateTransfers`, field by field: see api/proto/transfers.proto.
fn binary(to: &mut Vec<u8>, book: &Book, batch: &[Transfer]) {
    to.extend_from_slice(&[0x08, 0]);
    for transfer in batch {
        let amount = varint(transfer.amount);
        // Two accounts of 2 + 16 bytes, the amount's number before it, the currency.
        let length = 18 + 18 + 1 + amount.len() + 2 + CURRENCY.len();
        to.push(0x12);
        to.extend(varint(length as u64));
        to.extend_from_slice(&[0x0a, 16]);
        to.extend_from_slice(&book.accounts[transfer.from].bytes);
        to.extend_from_slice(&[0x12, 16]);
        to.extend_from_slice(&book.accounts[transfer.to].bytes);
        to.push(0x18);
        to.extend(amount);
        to.extend_from_slice(&[0x22, CURRENCY.len() as u8]);
        to.extend_from_slice(CURRENCY.as_bytes());
    }
}

/// Seven bits a byte, the lowest first.
fn varint(mut value: u64) -> impl ExactSizeIterator<Item = u8> {
    let mut bytes = [0; 10];
    let mut length = 0;
    loop {
        let more = if value > 0x7f { 0x80 } else { 0 };
        bytes[length] = (value & 0x7f) as u8 | more;
        length += 1;
        value >>= 7;
        if value == 0 {
            return bytes.into_iter().take(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::book::Account;
    use florin_api::proto;
    use prost::Message;

    fn book() -> Book {
        let account = |number: u128| Account::parse(&format!("acct_{number:026}")).unwrap();
        Book {
            partner: "ptn".to_owned(),
            key: "k".to_owned(),
            accounts: (1..=5).map(account).collect(),
            credited_before: 0,
        }
    }

    #[test]
    fn both_forms_say_what_was_drawn() {
        let book = book();
        let mut batch = Vec::new();
        draw(&mut batch, 300, book.accounts.len(), &mut Random::new(1));
        batch[0].amount = u64::MAX;
        let mut writer = Writer::new(Format::Binary);
        writer.write(&book, &batch);
        let binary = proto::CreateTransfers::decode(writer.bytes()).unwrap();
        assert_eq!(binary.atomic, Some(false));
        let mut writer = Writer::new(Format::Json);
        writer.write(&book, &batch);
        let json: serde_json::Value = serde_json::from_slice(writer.bytes()).unwrap();
        for (at, drawn) in batch.iter().enumerate() {
            let (binary, json) = (&binary.transfers[at], &json["transfers"][at]);
            let (from, to) = (&book.accounts[drawn.from], &book.accounts[drawn.to]);
            assert_ne!(drawn.from, drawn.to);
            assert_eq!(binary.debit_account, from.bytes[..]);
            assert_eq!(binary.credit_account, to.bytes[..]);
            assert_eq!(binary.amount, drawn.amount);
            assert_eq!(binary.currency, CURRENCY);
            assert_eq!(json["debit_account"], *from.text);
            assert_eq!(json["credit_account"], *to.text);
            assert_eq!(json["amount"], drawn.amount);
            assert_eq!(json["currency"], CURRENCY);
        }
    }
}
