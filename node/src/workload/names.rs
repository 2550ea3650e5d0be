//! The names that occur in the bank's records: channels, products, institutions, services and codes.

/// Where a transaction was begun.
pub const CHANNELS: [&str; 6] =
    ["mobile-app", "counter", "web-bank", "atm", "wechat", "partner-api"];

/// How likely each of [`CHANNELS`] is, in percent.
pub const CHANNEL_WEIGHTS: [u64; 6] = [45, 15, 15, 10, 10, 5];

/// Services behind the front end, each with its path.
pub const SERVICES: [(&str, &str); 10] = [
    ("card.application.submit", "/api/card/applications"),
    ("card.activation.confirm", "/api/card/activations"),
    ("loan.application.submit", "/api/loan/applications"),
    ("loan.approval.query", "/api/loan/approvals"),
    ("cash.delivery.reserve", "/api/cash/reservations"),
    ("account.opening.submit", "/api/account/openings"),
    ("transfer.order.create", "/api/transfer/orders"),
    ("fund.order.create", "/api/fund/orders"),
    ("insurance.policy.quote", "/api/insurance/quotes"),
    ("customer.profile.update", "/api/customer/profiles"),
];

/// Pages of the front end.
pub const PAGES: [&str; 8] = [
    "/apply/confirm",
    "/apply/start",
    "/home/index",
    "/pay/confirm",
    "/card/activate",
    "/loan/detail",
    "/cash/reserve",
    "/profile/edit",
];

/// How the customer's device was connected.
pub const NETWORKS: [&str; 4] = ["wifi", "5g", "4g", "lan"];

/// The code of a success.
pub const SUCCESS: &str = "0000";

/// The decision that counts as an approval.
pub const APPROVED: &str = "APPROVED";

/// How many products there are.
pub const PRODUCT_COUNT: u64 = 40;

/// How many institutions there are.
pub const INSTITUTION_COUNT: u64 = 400;

const KINDS: [&str; 8] = [
    "credit-card",
    "debit-card",
    "personal-loan",
    "mortgage",
    "cash-delivery",
    "fund",
    "insurance",
    "account",
];
const TIERS: [&str; 5] = ["platinum", "gold", "classic", "young", "business"];

/// The products, `kind/tier`.
#[must_use]
pub fn products() -> Vec<String> {
    let of_kind = |kind| TIERS.iter().map(move |tier| format!("{kind}/{tier}"));
    KINDS.iter().flat_map(of_kind).collect()
}

/// The institutions: branches, as six digits, twenty to a region.
#[must_use]
pub fn institutions() -> Vec<String> {
    let code = |branch| 110_000 + branch / 20 * 1_000 + branch % 20 * 4 + 8;
    (0..INSTITUTION_COUNT).map(|branch| format!("{:06}", code(branch))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_names_as_the_workload_says() {
        let mut institutions = institutions();
        institutions.dedup();
        assert_eq!((products().len(), institutions.len()), (40, 400));
        assert_eq!(CHANNEL_WEIGHTS.iter().sum::<u64>(), 100);
    }
}
