/* Forms of tokens: each says how many characters of its kind a text begins with; 0: none. */
#ifndef PG_METRICS_PTB_FORMS_H
#define PG_METRICS_PTB_FORMS_H

#include <stddef.h>
#include <stdint.h>

typedef size_t pg_ptb_form_size(const uint32_t *s);

/* ptb_numbers.c */
pg_ptb_form_size pg_ptb_number; /* -1,000.5, 12:30, :30 */
pg_ptb_form_size pg_ptb_date, pg_ptb_fraction, pg_ptb_small_digits, pg_ptb_phone;

/* ptb_addresses.c */
pg_ptb_form_size pg_ptb_full_address; /* http://x.org/y */
pg_ptb_form_size pg_ptb_likely_address, pg_ptb_mail_address;
pg_ptb_form_size pg_ptb_markup; /* <a href="x"> */
pg_ptb_form_size pg_ptb_entity; /* &#39; */

#endif
