/**
 * Words that host names are made of everywhere. Which of them stands in a name says little, so each costs a flat
 * COMMON_TOKEN_BITS instead of what its letters would cost: the binary logarithm of how many there are, so that a
 * sender who writes with this very list is charged what it really moves.
 */
export const COMMON_TOKEN_BITS = 9;

export const COMMON_TOKENS: readonly string[] = `
a aaa about ac academy accelerator access account accounts acme act action activate activation active activity ad adfs
admin ads adservice adserver affiliate agent agents ai air akamai alb alert alerts all alpha amazon analytics and android
answers any anycast ap apac api apis app apple application apps ar archive archives art asia asp asset assets assist auction
audio aus auth authentication auto autoconfig autodiscover avatar avatars aws az azure b b2b back backend backup balancer
bank banner banners bar base basic beacon beacons beta bi big billing bin bing bio blob blog blogs blue board boards book
bookmarks books bot box br brand browser bucket bugs build builds bus business buy c ca cache calendar call cam campaign canary
captcha car career careers cart cas catalog cdn cdn1 cdn2 cdns ce center central cert certs cf ch chart chat check checkout
ci city class classic cli click client clients cloud cluster cm cms cn cname co code collab collect collector com comet
comments commerce common community compute conf config configuration connect connection connectivity consent console consumer
contact content contents control cookie core corp count counter courses cp cpanel cpe crawler creative creatives crl crm cs csp css
ct customer customers cy d dash dashboard data database date db dc de deals debug default delivery demo deploy design dev
developer developers device devices dhcp dialin diag digital direct directory disco discover discovery discuss display dist
distribution dl dmz dn dns doc docker docs document documents domain domaincontrollers domaindnszones domains down download
downloads drive ds dual dualstack dynamic e east ec ec2 eco ecs ed edge edit editor edu education edgekey eks elastic elb email embed
en endpoint energy engage engine enroll enrollment enterprise error errors es eu europe eureka event events ex exchange
experience experiments explore express ext external extranet f family farm fast favicon fb feed feedback feeds file files film
finance fire firewall firefox first flash flights fonts food for forestdnszones forms forum forums fp fr free frontend fs ftp
fun fw g gallery game games gate gateway gc geo geoip get gift git github gitlab global gold google gov gps gr graph graphite
graphql green grid group groups gs gslb gsp guest guide gw h hb head health heart heartbeat help helpdesk hk home hook hooks
host hosted hosting hosts hotel hr htm html http https hub i icon icons id idp ids im image images imap img imgs impression in inbox
inc index info infra ingest ingress insight insights install instance int integration intel inter internal international
internet intranet invite io ip ipp ipps ips ipv4 ipv6 ir is issues it item j ja java jenkins jira job jobs js json jp k k8s kb kdc
keep kerberos key keys kibana kiosk kms ko kpasswd kr kube l la lab labs lan lang latest launch lb ldap ldaps learn learning
legal level lib library licensing license life lighthouse link links linux list lists live lms load loader local localhost
locate location log logger logging login logo logon logs lon loop ls lt lux m mac machine mail mail1 mail2 mailer main manage
management manager map maps market marketing marketplace master match math mb mc md me media meet meeting meetings member
members memory menu merchant message messages messaging messenger meta metadata metric metrics mgmt mi microsoft mid mirror
mirrors mks ml mobi mobile mobileapi model models mon money monitor monitoring movie mp ms msg msn mta mtalk mx my myaccount
n na name nas nat national native navi nav net network new news newsletter next nfs ng nl no node nodes north notification notifications
notify ns ns1 ns2 ns3 ns4 nsone ntp ny o oauth object objects ocsp of office ok old olympic on one online op open openid
opera optimize or order orders org origin os ota out outlook owa p packages page pages panel paris partner partners party pass
password path pay payment payments pc pci pdc pdf people perf performance person personal photo photos php pic pics ping
pixel pki pl place plan platform play player plugin plus pod podcast point policy poll pool pop pop3 port portal post postmaster power
pps preprod presence preview price primary print printer private prod product production products profile profiles project
projects prometheus promo prov provisioning proxy ps public publish publisher pull purchase push px q qa query queue quick
quiz r race radio radius range rating rc rdp read reader readme real realtime record recs redirect redis reg region register
registry relay release releases remote render replay repo report reporter reporting reports repository research resolver
resource resources rest restaurant results review reviews reward rewards rigi rights ring root route router rpc rs rss rsync rtb
ru rum s s1 s2 s3 saas safe safebrowsing sales sample san sandbox save sc scan scheduler school science script scripts sdk se
search sec secure security seller send sense sentry seo server servers service services session sessions set settings setup sf sftp sg
shadow share shared sharepoint shop shopping show sip sips site sitemap sites sky sls sm small smart sms smtp snap snapshot so
social soft software solr sonar south sp space spark speed speedtest spf sport sports sql src ssh ssl sso st stable staff stage
staging standard star start stat static static1 static2 stats status stg storage store stores stream streaming student studio
stun style sub subscribe success suggest summary sun super support survey svc svn sw swa sync sys syslog system systems t
tag tags talk target task tasks tcp teach team teams tech tel telemetry template temp terminal test testing tests text th
thumbnail thumbs ticket tickets tiles time timeline tls tmp to tool tools top touch tour tr trace track tracker tracking
traffic train training transfer translate travel trial tt turn tv tw twitter txt u ubuntu uat uc udp ui uk union unix up update updates
upload uploads us usa usage use user users usw v v1 v2 v3 v4 v6 val validate value vault vc verify version vg video videos view
viewer vip virtual vision visit vm voice voip vote vpn vpn1 vpn2 vps w watch wap we weather web web1 web2 webapi webapp webcam webdisk
webhook webmail
acme airplay bonjour caldav carddav challenge device dmarc dnssd domainkey domainkeys jabber kdc kpasswd ldaps msdcs mta openpgpkey rpt selector sites smimecert spf tcp tlsrpt tlsa udp workstation xmpp selector1 selector2 s1024 s2048 webserver websocket west whm who wiki widget widgets wifi win windows windowsupdate winstats wireless word work
workspace world wp wpad ws wss ww www www1 www2 www3 x xml xmpp y yahoo yes you your youtube z za zabbix zh zone zoom
`
  .trim()
  .split(/\s+/);
