{#- causes that say that something is off, and not what -#}
{%- set vague = "('unexplained', 'balance_rollforward_breaks', 'control_account_differs')" %}
{#- what an object is called in the evidence of a comparison that names another one -#}
{%- set mentions = [
    'balance_transaction_id', 'credit_block_id', 'latest_charge_id', 'listed_by_payout_id', 'named_balance_transaction', 'orb_invoice_id',
    'payment_intent_id', 'payout_id', 'stripe_invoice_id',
] -%}
with breaks as (

    -- a class says most; of the rest the comparison that is nearer to the usage
    select
        *,
        {{ json_text('evidence', '$.source_id') }} as source_id,
        {{ json_text('evidence', '$.orb_price_id') }} as orb_price_id,
        {{ json_text('evidence', '$.orb_amount_is_reached_by') }} as reached_by,
        {{ json_text('evidence', '$.metric') }} as metric,
        {{ to_decimal(json_text('evidence', '$.billed_quantity')) }} - {{ to_decimal(json_text('evidence', '$.metered_quantity')) }} as quantity_off,
        case
            when cause = 'invoice_tax_differs' and difference = 0 then abs({{ to_decimal(json_text('evidence', '$.tax_difference')) }})
            else abs(difference)
        end as amount,
        cause in {{ vague }} or cause = 'invoice_tax_differs' and difference = 0 as is_vague,
        row_number() over (
            order by case when cause in {{ vague }} then 1 when cause = 'invoice_tax_differs' and difference = 0 then 2 else 0 end, comparison_no, break_id
        ) as place,
    from {{ ref('rec_match_groups') }}
    where status = 'break'

),

objects as (

    {% for own in ['left_ref', 'right_ref', 'source_id'] -%}
    select
        break_id,
        {{ own }} as object_id,
        true as is_its_own,
    from breaks
    where {{ own }} is not null
    union distinct
    {% endfor -%}
    {% for name in mentions -%}
    select
        break_id,
        {{ json_text('evidence', '$.' ~ name) }} as object_id,
        false as is_its_own,
    from breaks
    where {{ json_text('evidence', '$.' ~ name) }} is not null
    {{ 'union distinct' if not loop.last }}
    {% endfor %}
),

follows as (

    -- the same object and the same amount, once more in another place; without an amount it has to be the object itself
    select
        later.break_id,
        later.comparison,
        later.match_key,
        sooner.break_id as root_break_id,
        sooner.cause as root_cause,
        sooner.place as root_place,
        later_object.is_its_own and sooner_object.is_its_own as is_sure,
    from breaks as later
    inner join objects as later_object on later.break_id = later_object.break_id
    inner join objects as sooner_object on later_object.object_id = sooner_object.object_id
    inner join breaks as sooner on sooner_object.break_id = sooner.break_id
    where
        (
            later.is_vague
            -- an object that differs by the same from two others is itself what is wrong
            or later.amount <> 0 and later.left_ref is not null and later.right_ref is not null
            and sooner.left_ref is not null and sooner.right_ref is not null
            and later_object.is_its_own and sooner_object.is_its_own and sooner.comparison <> later.comparison
        )
        and sooner.place < later.place
        and sooner.amount = later.amount
        and (sooner.currency = later.currency or sooner.right_currency = later.currency)
        and (
            later_object.is_its_own and sooner_object.is_its_own
            or later.amount <> 0 and (later_object.is_its_own or sooner_object.is_its_own)
        )
    union all
    -- a line that Orb rated right, by a price that is wrong
    select
        line.break_id,
        line.comparison,
        line.match_key,
        price.break_id as root_break_id,
        price.cause as root_cause,
        price.place as root_place,
        true as is_sure,
    from breaks as line
    inner join breaks as price on line.orb_price_id = price.orb_price_id
    where
        line.comparison = 'rated__usage_vs_lines'
        and line.reached_by = 'orb_price'
        and price.comparison = 'rated__agreed_prices_vs_orb_prices'
    union all
    -- a line that bills what the product metered, where Orb has since come to say otherwise
    select
        line.break_id,
        line.comparison,
        line.match_key,
        used.break_id as root_break_id,
        used.cause as root_cause,
        used.place as root_place,
        true as is_sure,
    from breaks as line
    inner join breaks as used
        on
            line.customer_id = used.customer_id
            and line.period = used.period
            and line.metric = used.currency
            and line.quantity_off = used.difference
    where
        line.comparison = 'rated__usage_vs_lines'
        and line.cause = 'billed_quantity_differs'
        and used.comparison = 'metered__app_vs_orb'
    union all
    -- a control account that is off by what is the matter with a document of its customer; Stripe's balance has no customer
    select
        account.break_id,
        account.comparison,
        account.match_key,
        document.break_id as root_break_id,
        document.cause as root_cause,
        document.place as root_place,
        true as is_sure,
    from breaks as account
    inner join breaks as document
        on
            account.currency = document.currency
            and account.amount = document.amount
    where
        account.cause = 'control_account_differs'
        and document.cause <> 'control_account_differs'
        and account.amount <> 0
        and document.place < account.place
        and (account.customer_id = document.customer_id or account.customer_id is null)

),

nearest as (

    select *
    from follows
    qualify row_number() over (partition by break_id order by root_place, is_sure desc) = 1

),

counted as (

    -- one for one: of several that only mention the object a break explains one a comparison
    select
        *,
        row_number() over (partition by root_break_id, comparison, is_sure order by match_key) as turn,
    from nearest

),

explained as (

    select * from counted
    where turn = 1 or is_sure

)

select
    explained.break_id,
    -- what follows from a consequence follows from its root
    coalesce(third.root_break_id, second.root_break_id, explained.root_break_id) as root_break_id,
    coalesce(third.root_cause, second.root_cause, explained.root_cause) as root_cause,
from explained
left join explained as second on explained.root_break_id = second.break_id
left join explained as third on second.root_break_id = third.break_id
