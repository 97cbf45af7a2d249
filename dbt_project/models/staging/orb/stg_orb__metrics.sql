with source as (

    select * from {{ source('raw_orb', 'metrics') }}

),

fields as (

    {{ json_fields('source', {
        'item_id': '$.item.id',
        'metric_code': '$.metadata.metric_code',
        'metric_name': '$.name',
        'description': '$.description',
        'status': '$.status',
        'sql_text': '$.sql',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as metric_id,
        item_id,
        metric_code,
        metric_name,
        description,
        status,
        sql_text,
        is_deleted,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
