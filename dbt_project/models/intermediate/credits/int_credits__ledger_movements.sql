{{ config(materialized='table') }}

{%- set never = timestamp_literal('9999-12-31 00:00:00+00:00') %}

with blocks as (

    select * from {{ ref('stg_orb__credit_blocks') }}
    where not is_deleted

),

entries as (

    select
        ledger.*,
        blocks.balance as balance_in_orb,
        blocks.credit_block_source,
        coalesce(blocks.is_filtered, false) as is_filtered,
        blocks.effective_at as block_effective_at,
        coalesce(
            coalesce(ledger.cost_basis, 0) = coalesce(blocks.cost_basis, 0)
            and coalesce(ledger.block_expires_at, {{ never }}) = coalesce(blocks.expires_at, {{ never }}),
            true
        ) as has_terms_of_block,
        -- only the grant names them, on its entry or on its block
        coalesce(blocks.payment_intent_id, max(ledger.payment_intent_id) over (partition by ledger.credit_block_id)) as payment_intent_of_block,
        max(ledger.created_invoice_id) over (partition by ledger.credit_block_id) as created_invoice_of_block,
        coalesce(blocks.wallet_transaction_id, max(ledger.wallet_transaction_id) over (partition by ledger.credit_block_id)) as wallet_transaction_of_block,
        -- an expiration change moves credit between blocks and an initiated void none yet: the customer's balance stays
        case
            when ledger.entry_type in ('expiration_change', 'void_initiated') then {{ decimal_literal('0') }}
            else ledger.amount
        end as movement,
        -- entries with the same number and instant stand in the order in which the balance falls, or rises
        row_number() over (
            partition by ledger.customer_id, ledger.currency
            order by
                ledger.sequence_number,
                ledger.created_at,
                case when ledger.amount < 0 then -ledger.starting_balance else ledger.starting_balance end,
                ledger.ledger_entry_id
        ) as ledger_position,
    from {{ ref('stg_orb__credit_ledger') }} as ledger
    left join blocks on ledger.credit_block_id = blocks.credit_block_id
    where not ledger.is_deleted

),

running as (

    select
        *,
        sum(movement) over (
            partition by credit_block_id order by ledger_position rows between unbounded preceding and current row
        ) as moved_so_far,
        sum(movement) over (partition by credit_block_id) as moved_in_all,
    from entries

)

select
    ledger_entry_id,
    external_customer_id as customer_id,
    customer_id as orb_customer_id,
    credit_block_id,
    invoice_id,
    price_id,
    created_invoice_of_block as created_invoice_id,
    payment_intent_of_block as payment_intent_id,
    wallet_transaction_of_block as wallet_transaction_id,
    credit_block_source,
    entry_type,
    currency,
    sequence_number,
    ledger_position,
    starting_balance,
    ending_balance,
    {{ to_decimal('movement') }} as movement,
    -- what came before and Orb's balance less what came after: an entry that is lost must not leave credit that is not there
    {{ to_decimal('least(moved_so_far, coalesce(balance_in_orb - (moved_in_all - moved_so_far), moved_so_far))') }} as block_balance,
    {{ to_decimal('coalesce(cost_basis, 0)') }} as cost_basis,
    is_filtered,
    has_terms_of_block,
    cast(block_effective_at as timestamp) as block_effective_at,
    cast(coalesce(block_expires_at, {{ never }}) as timestamp) as block_expires_at,
    cast(created_at as timestamp) as created_at,
from running
