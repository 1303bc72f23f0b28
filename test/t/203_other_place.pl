# What a rule says of one place or one thing is no answer about another that no row
# knows: a shop whose one policy tells what it costs to Depok does not say so of itself
# to somebody in Surabaya, nor of the warranty of cakes about sandals. A rule that is of
# everywhere is.
#
# proves R057 R058 R065

use strict;
use warnings;

use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('otherplace');
my $workspace = $stage->workspace;
$stage->connect;
$stage->bound(qq{INSERT INTO laras.catalog_item (workspace_id, id, name, price, stock) VALUES ($workspace, 1, 'Kopi Tubruk', 8000, 20)});
$stage->bound(qq{INSERT INTO laras.policy_text (workspace_id, id, topic, language, body) VALUES
	($workspace, 11, 'pengiriman', 'id', 'Ongkir Depok Rp 16.000, sampai dalam 2 hari.'), ($workspace, 14, 'garansi', 'id', 'Garansi kue 3 hari sejak diterima.')});
sub would { my ($q) = @_; return $stage->bound("SELECT (j ->> 'would_send') || ' ' || coalesce(j ->> 'body', '') FROM laras.preview_draft('$q') j"); }

like(would($_), qr/^true .*(?:16\.000|3 hari|8\.000)/, "answered: $_") for 'kopi tubruk berapa?', 'ongkir ke depok berapa?', 'garansi kue berapa lama?';
like(would($_), qr/^false /, "left to a person: $_") for 'ongkir ke surabaya brp?', 'ongkir jakarta berapa kak', 'ongkir ke bandung?', 'bisa kirim ke papua?', 'kirim ke luar negeri bisa?', 'garansi sendal brp lama?';
$stage->bound("UPDATE laras.policy_text SET body = 'Ongkir ke seluruh Indonesia Rp 16.000.' WHERE id = 11");
like(would($_), qr/^true .*16\.000/, "what is of everywhere is said: $_") for 'ongkir ke surabaya brp?', 'ongkir ke depok berapa?';
$stage->stop;
done_testing();
