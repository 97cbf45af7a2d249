{{ config(meta={'dagster': {'ref': {'name': 'rec_matches'}}}) }}

-- A comparison without a row in the seed falls back to zero days and zero tolerance silently.
select comparisons.comparison
from (select distinct comparison from {{ ref('rec_matches') }}) as comparisons
left join {{ ref('reconciliation_tolerances') }} as tolerances on comparisons.comparison = tolerances.comparison
where tolerances.comparison is null
