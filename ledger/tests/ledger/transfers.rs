//! Accounts and transfers, row by row.

use crate::script::check;

#[test]
fn money_moves_and_is_held() {
    check(
        "
        account  A funded 10.00
        account  B                                                  | A 10.00 B 0.00
        transfer T1 B->A 10.00   => refused insufficient_funds debit_account: 0.00 of 10.00
        transfer T2 A->B 4.00    => posted 4.00                     | A 6.00 B 4.00
        pending  T3 A->B 3.00    => pending                         | A 3.00 B 4.00
        transfer T4 A->B 3.01    => refused insufficient_funds debit_account: 3.00 of 3.01
        post     T3 2.00         => posted 2.00                     | A 4.00 B 6.00
        post     T3              => refused invalid_state: Post when Posted
        void     T3              => refused invalid_state: Void when Posted
        pending  T5 A->B 4.00    => pending                         | A 0.00 B 6.00
        post     T5 4.01         => refused amount_too_large: 4.00 of 4.01
        post     T5              => posted 4.00                     | A 0.00 B 10.00
        pending  T6 B->A 1.00    => pending                         | A 0.00 B 9.00
        void     T6              => voided                          | A 0.00 B 10.00
        void     T6              => refused invalid_state: Void when Voided
        post     T6              => refused invalid_state: Post when Voided
        ",
    );
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    check(
        "
        account  A funded 10.00
        account  E EUR
        account  F EUR
        transfer T1 A->A 1.00           => refused same_account
        transfer T1 X->A 1.00           => refused account_not_found debit_account
        transfer T1 A->X 1.00           => refused account_not_found credit_account
        transfer T1 A->E 1.00           => refused currency_mismatch credit_account: E
        transfer T1 E->A 1.00           => refused currency_mismatch debit_account: E
        transfer T1 A->outside 1.00 EUR => refused currency_mismatch debit_account: A
        post     X                      => refused transfer_not_found
        void     X                      => refused transfer_not_found
        reverse  R X                    => refused transfer_not_found
        post     A                      => refused transfer_not_found
        ",
    );
}

#[test]
fn references_are_unique_for_ever_within_a_kind() {
    check(
        "
        account  A ref one funded 10.00
        account  B ref one                        => refused reference_taken by A
        account  B ref two
        transfer T1 A->B 1.00 ref one             => posted 1.00
        transfer T2 A->B 1.00 ref one             => refused reference_taken by T1
        transfer T3 A->B 100.00 ref three         => refused insufficient_funds debit_account: 9.00 of 100.00
        transfer T3 A->B 1.00 ref three           => posted 1.00
        wait     90000s
        transfer T4 A->B 1.00 ref one             => refused reference_taken by T1
        pay      P1 A->B 1.00 ref one             => succeeded 1.00
        pay      P2 A->B 1.00 ref one             => refused reference_taken by P1
        ",
    );
}

#[test]
fn pending_transfers_expire_by_the_groups_time() {
    check(
        "
        account  A funded 10.00
        account  B
        pending  T1 A->B 4.00 expires 10s  => pending               | A 6.00
        pending  T2 A->B 1.00 expires 20s  => pending               | A 5.00
        pending  T3 A->B 2.00              => pending               | A 3.00
        wait     5s                        => nothing               | A 3.00
        wait     5s                        => expired T1            | A 7.00
        post     T1                        => refused invalid_state: Post when Expired
        void     T1                        => refused invalid_state: Void when Expired
        reverse  R T1                      => refused invalid_state: Reverse when Expired
        void     T2                        => voided                | A 8.00
        wait     100s                      => nothing               | A 8.00
        post     T3                        => posted 2.00           | A 8.00 B 2.00
        pending  T4 A->B 1.00 expires 0s   => pending               | A 7.00
        post     T4                        => refused invalid_state: Post when Expired
        transfer T5 A->B 1.00 expires 1s   => posted 1.00           | A 7.00
        wait     100s                      => nothing               | A 7.00
        ",
    );
}

#[test]
fn a_reversal_is_a_transfer_like_any_other() {
    check(
        "
        account  A funded 10.00
        account  B
        transfer T1 A->B 4.00       => posted 4.00
        reverse  R1 T1              => reversed 4.00                | A 10.00 B 0.00
        reverse  R2 T1              => refused invalid_state: Reverse when Reversed
        post     T1                 => refused invalid_state: Post when Reversed
        reverse  R3 R1              => reversed 4.00                | A 6.00 B 4.00
        pending  T2 A->B 6.00       => pending
        reverse  R4 T2              => refused invalid_state: Reverse when Pending
        post     T2 2.50            => posted 2.50                  | A 3.50 B 6.50
        reverse  R5 T2              => reversed 2.50                | A 6.00 B 4.00
        transfer T3 A->B 6.00       => posted 6.00
        transfer T4 B->outside 9.00 => posted 9.00
        reverse  R6 T3              => refused insufficient_funds credit_account: 1.00 of 6.00
        ",
    );
}

#[test]
fn constraints_and_their_limits() {
    check(
        "
        account  A overdraft 5.00                                   | A 5.00
        account  B
        transfer T1 A->B 5.01  => refused insufficient_funds debit_account: 5.00 of 5.01
        transfer T2 A->B 5.00  => posted 5.00                       | A 0.00
        transfer T3 A->B 0.01  => refused insufficient_funds debit_account: 0.00 of 0.01
        account  C asset credits_within_debits overdraft 1.00       | C 1.00
        transfer T4 outside->C 2.00 => refused insufficient_funds credit_account: 1.00 of 2.00
        transfer T5 C->B 3.00       => posted 3.00                  | C 4.00
        pending  T6 outside->C 3.00 => pending                      | C 1.00
        transfer T7 outside->C 1.01 => refused insufficient_funds credit_account: 1.00 of 1.01
        transfer T8 C->A 1.00       => posted 1.00                  | C 2.00 A 1.00
        transfer T9 A->outside 1.00 => posted 1.00                  | A 0.00
        reverse  R1 T5              => refused insufficient_funds debit_account: 2.00 of 3.00
        account  D expense unconstrained
        account  E income unconstrained
        transfer U1 D->E 7.00       => posted 7.00                  | D 7.00 E 7.00
        transfer U2 E->D 9.00       => posted 9.00                  | D -2.00 E -2.00
        ",
    );
}

#[test]
fn totals_that_would_leave_128_bits_are_refused() {
    check(
        "
        account  A unconstrained
        account  B unconstrained
        transfer T1 A->B max        => posted max
        transfer T2 A->outside 0.01 => refused overflow A
        transfer T3 outside->B 0.01 => refused overflow B
        pending  T4 A->outside 0.01 => refused overflow A
        pending  T5 B->A max        => pending
        transfer T6 B->outside 0.01 => refused overflow B
        post     T5                 => posted max
        reverse  R1 T1              => refused overflow B
        account  C unconstrained
        account  D unconstrained
        transfer T7 C->D max        => posted max
        pay      P1 outside->D 0.01 => refused overflow D
        pay      P2 C->outside 0.01 => refused overflow C
        pay      P3 outside->C 0.01 => succeeded 0.01
        refund   R2 P3              => refused overflow C
        ",
    );
}
