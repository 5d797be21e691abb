-- What tokens came to at the model's price of that moment, in millionths of the currency that prices are written in, and the
-- parts of them that have a price of their own. A cost is absent where the model had no price.

ALTER TABLE usage ADD COLUMN cached_input_tokens INTEGER;
ALTER TABLE usage ADD COLUMN cache_write_tokens INTEGER;
ALTER TABLE usage ADD COLUMN reasoning_tokens INTEGER;
ALTER TABLE usage ADD COLUMN cost_micros INTEGER;
