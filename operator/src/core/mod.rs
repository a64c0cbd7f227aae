//! What the business is made of: quotas, prices, names, the life of data, times of runs, what is kept. Knows no
//! Kubernetes types.

pub mod keep;
pub mod lifecycle;
pub mod schedule;

pub use commonscloud_api::values::{
    Bytes, BytesError, ExpressionError, GrowthRule, Hostname, HostnameError, Price, PriceError, Quantity,
    QuantityError, SizeExpression, is_entity_name, is_instance_name, least_above, taken_back,
};
