-- How old was what customers owed us at the end of the month?

select
    currency,
    {% for bucket, name in [
        ('not due', 'not_due'), ('1-30', 'days_1_to_30'), ('31-60', 'days_31_to_60'), ('61-90', 'days_61_to_90'), ('91+', 'days_91_or_more'),
    ] -%}
    {{ sum_decimal("case when age_bucket = '" ~ bucket ~ "' then open_amount else 0 end") }} as {{ name }}_amount,
    {% endfor -%}
    {{ sum_decimal('open_amount') }} as open_amount,
from {{ ref('fct_receivables_ageing') }}
where ageing_date = {{ month_end() }}
group by currency
order by currency
